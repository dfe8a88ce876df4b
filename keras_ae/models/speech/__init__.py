"""Models of speech: auto-encoder and voice converters."""
