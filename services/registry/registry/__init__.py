"""Knows every file there ever was, and where each one stands."""
