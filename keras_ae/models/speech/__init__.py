"""Models of speech: auto-encoders and voice conversion."""
