"""What a connection is for: execution options that `mainstem.database.engine` heeds when a transaction begins."""

READS = {"reads": True}
"""It only reads: on SQLite it does not wait for a writer."""
ASKS = {**READS, "asks": True}
"""Its statements are each by themselves: PostgreSQL is told of no transaction, which would cost two more round trips."""
AT_ONCE = {"yield_per": None, "stream_results": False}
"""Of a statement without rows, on a connection that streams: no cursor is declared for it."""
