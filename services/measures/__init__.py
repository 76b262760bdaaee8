"""What is measured: a declaration a measure in `library/`, found by its file name; `evaluate` counts it over the registry's tables."""
