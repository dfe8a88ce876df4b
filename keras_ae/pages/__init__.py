"""Pages of one file: style, tables and numbers that all reports share."""
