"""What is measured: declarations, and their evaluation over the registry."""
