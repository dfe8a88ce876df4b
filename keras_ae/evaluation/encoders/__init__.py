"""Encoders of any kind behind one interface: models, files, artifacts, functions."""
