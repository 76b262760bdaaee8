"""How any of ours reaches a database: opened, its errors in our words, locks, rows in two dialects. Knows no table.

Touch it for what differs between SQLite and PostgreSQL, or between their versions; tables and statements lie with whoever
owns the data (mainstem.state, mainstem.consumer, services.registry).
"""

from mainstem.database.engine import Database, connect, make_tables
from mainstem.database.errors import translated
from mainstem.database.locks import in_turn
from mainstem.database.urls import in_the_open, name_of, parse_url

__all__ = ["Database", "connect", "in_the_open", "in_turn", "make_tables", "name_of", "parse_url", "translated"]
