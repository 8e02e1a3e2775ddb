"""Broken inputs by the thousand."""
