"""What a space is like: its dimension, its spread, its hubs, its norms, and the gap between kinds."""
