"""Tests of atmos-wrap."""
