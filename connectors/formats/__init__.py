"""Bytes as they come → lines: NDJSON, gzip, Bundles of search results. Knows no site and no server; a file a format."""
