"""Layers for tables of numbers and categories."""
