"""Models of sentences: encoders, and decoders that write sentences."""
