"""The fast reader of declared mappings; who writes a mapping never enters."""
