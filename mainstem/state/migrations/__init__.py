"""Alembic migrations of the state, shipped with the package; `State.migrate` runs them."""
