"""The registry: outcome events into tables, and the tables read over HTTP."""
