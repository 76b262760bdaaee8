"""A registry's tables, counted: what checks compare sites by."""
