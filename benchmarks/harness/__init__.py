"""What the benchmark scripts share. A script imports no other script."""
