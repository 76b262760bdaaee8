"""By how much dates are moved: of one person the same in every extract, or the latest of many extracts would tell the true day."""

from secrets import token_hex

from sqlalchemy import Connection, insert, select

from mainstem.database import in_turn
from services.registry.said import extract_key


def key_of_moves(connection: Connection) -> bytes:
    """The network's, made when it is first asked for; it lies where the true dates lie, and goes into no extract."""
    in_turn(connection, "key of moves")
    found = connection.scalar(select(extract_key.c.key))
    if found is None:
        found = token_hex(32)
        connection.execute(insert(extract_key).values(name="dates", key=found))
    return bytes.fromhex(found)
