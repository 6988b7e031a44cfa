"""Row expressions: SQL, checked, and turned into Polars."""
