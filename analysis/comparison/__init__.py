"""Compare spaces, models and layers on the same items."""
