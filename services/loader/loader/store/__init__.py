"""The loader's own tables and the organisations' schemas, all in the warehouse."""
