"""Feedback: measures of the network's outcomes as control charts, on pages for the people who can act on them."""
