"""Self-contained HTML pages: style, tables and number formats for all reports."""
