"""The report of a run: record, tables, plots, examples, page."""
