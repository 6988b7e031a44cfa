"""Pure rules: what a notification names, where a key belongs, which order holds, where a file stands."""
