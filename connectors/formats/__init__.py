"""Bytes as they come → lines: NDJSON, gzip. Knows no site and no server."""
