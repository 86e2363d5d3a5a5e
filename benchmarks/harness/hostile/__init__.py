"""Hostile files: pictures, tables, archives and names that are damaged or made to do harm, and how an ingest takes them."""
