"""The embedding report: the information that an embedding contains and leaks, on one page."""
