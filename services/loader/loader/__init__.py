"""Appends batches to the log and applies files to the current tables."""
