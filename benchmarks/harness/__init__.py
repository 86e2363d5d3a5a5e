"""Code that the benchmark scripts share. A script never imports another script."""
