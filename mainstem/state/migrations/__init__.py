"""Alembic migrations of the store, shipped with the package; `Store.migrate` runs them."""
