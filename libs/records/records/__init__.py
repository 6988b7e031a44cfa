"""What files, rows and records are: pure functions over bytes and Polars frames, no IO."""
