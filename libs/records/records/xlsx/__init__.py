"""Workbooks, strictly: their parts, sheets, cells and texts."""
