"""Versions of records as BSON documents, and back."""
