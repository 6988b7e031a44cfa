"""What a file may do to its dataset: pure rules."""
