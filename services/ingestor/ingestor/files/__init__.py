"""Bytes outside the databases: the bucket, and this machine's disk."""
