"""Measures evaluated: `persons` for given persons in memory, a pure function; `counts` over the registry's tables, by period and site.

Both go by one declaration and agree, unit by unit. A unit is what counts once in a period: a person, or an event (`per`).
"""
