"""Measurements of the installed program."""
