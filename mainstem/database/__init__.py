"""How the store uses its two databases: tables, engine and errors, batches, locks. `mainstem.state` is the way in."""
