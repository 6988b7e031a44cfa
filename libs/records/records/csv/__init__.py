"""CSV of every dialect, strictly: a fast path over whole blocks, and an exact one for what is not well formed."""
