"""How often Python looks for cycles that nobody reaches, in processes that are ours."""

import gc

NEW_OBJECTS = 20_000
"""Before they are looked for among new objects: Python's own 700 costs a quarter of a start, a tenth of a mapping and a fifth of deriving,
where thousands of rows live for a moment and none is in a cycle."""


def look_seldom() -> None:
    """From now on. Not for whoever only imports us, such as a consumer of their own: that is theirs to say."""
    gc.set_threshold(NEW_OBJECTS)
