"""Servers on loopback that stand in for the clouds, and what they need."""
