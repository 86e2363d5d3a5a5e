"""Directions of a space, each with its evidence: what they tell apart, how stable they are, what they carry along."""
