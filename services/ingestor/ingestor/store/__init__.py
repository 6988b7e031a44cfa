"""PostgreSQL: datasets, heads, positions and rejects."""
