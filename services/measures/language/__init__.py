"""The words measures are written in: series of events, what is asked of each event, and what follows for a person.

A declaration is data: `compile/` turns it into answers, words and reasons; nothing here computes. An event series is all of
one record type of one person, filtered; `first` and `last` pick one event of it; `exist` makes a yes or no of a person.
Everything may also be unknown: neither yes nor no, and counted as neither.

The idea of event series and person series is that of OpenSAFELY's ehrQL.
"""
