"""How the store uses its two databases: tables, engine and errors, batches, locks. `mainstem.store` is the way in."""
