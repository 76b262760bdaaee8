"""A declaration turned into something else: an answer in memory, words, reasons."""

EVALUATION = 4
"""Another number wherever the same declaration answers otherwise than before: results that were kept are made anew then."""
