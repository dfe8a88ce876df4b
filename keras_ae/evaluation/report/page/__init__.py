"""The page of an embedding report, and the comparison of several reports."""
