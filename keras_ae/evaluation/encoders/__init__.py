"""Encoders of any kind behind one interface: models, files, exported artifacts and functions."""
