"""Recipes for speech."""
