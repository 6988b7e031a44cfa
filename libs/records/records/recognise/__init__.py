"""How a file is to be read, found in its beginning."""
