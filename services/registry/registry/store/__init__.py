"""PostgreSQL: what the registry knows, one function per query."""
