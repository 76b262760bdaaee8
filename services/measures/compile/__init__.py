"""A declaration turned into something else: an answer in memory, words, reasons."""
