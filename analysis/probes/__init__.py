"""Probes: what can be read from vectors, and how far single numbers of a code are single factors."""
