"""Collections: pictures and texts kept on disk with their vectors and maps."""
