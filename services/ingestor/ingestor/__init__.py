"""Turns a file into new versions of records."""
