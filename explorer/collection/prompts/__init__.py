"""Prompts and settings that generators write into their pictures: one module a format, pure functions."""
