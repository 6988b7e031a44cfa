"""JSON, strictly: values, their canonical text, and where rows begin and end."""
