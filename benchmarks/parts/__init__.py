"""What several benchmarks share; nothing here is started directly."""
