"""The embedding report: what an embedding knows, and what it leaks, on one page."""
