"""Layers for words and sentences."""
