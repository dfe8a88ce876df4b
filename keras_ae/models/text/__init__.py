"""Models of sentences."""
