"""The words: every type that enters or leaves Mainstem. pydantic only; imports nothing of ours, does no I/O."""
