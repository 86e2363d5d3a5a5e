"""Hostile files: damaged or made to do harm, and how an ingest takes them."""
