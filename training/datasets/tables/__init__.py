"""Tables of numbers and categories: reading, splitting and batching."""
