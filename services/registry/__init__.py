"""The registry: outcome events into tables by the consumer kit, their history, and the tables read over HTTP.

Tables follow from the record classes of `schemas.outcomes`; `write` is the one place where the two databases differ.
"""
