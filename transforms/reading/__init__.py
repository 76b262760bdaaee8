"""The fast reader of declared mappings; who writes a mapping never enters.

A declared mapping made fast: lines are read by the batch, and field by field rather than line by line. The contents of
most fields recur: the same code, category, unit, patient or encounter thousands of times. So what a rule gave for a
field's bytes is remembered as the bytes of the record they become, and a batch is a narrow decode of each line
(`columns`), then one pass of look-ups a field (`memories`), then a join (`reader`). Memories are bounded, so memory
stays flat. Nothing here knows a resource type: what differs is declared in `transforms/resources`.
"""
