"""Feedback: measures of the network's outcomes as control charts, on pages for the people who can act on them.

To add a page is to add `<page>.py` with `routes`, and its template; it is found by its name. `results`, `periods` and `charting` lay a
measure out, `wording` holds what people read, `site` what every page works with. Reads the registry, the measures and the charts.
"""
