"""Concepts: points in words, clusters with names, and features that a sparse autoencoder finds."""
