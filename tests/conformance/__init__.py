"""Comparison with the recorded behaviour of Atmos."""
