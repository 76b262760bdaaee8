"""Published references as pure functions of numbers: growth by LMS, lung function by GLI, kidney function.

Nothing here knows a record, so a statistician can try a reference alone: `mainstem derive table`. The tables are data
of transforms/derive/tables/, each with its source in its first lines, read at their first use.
"""
