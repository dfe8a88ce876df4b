"""Report of a run: record, tables, plots, examples, and page."""
