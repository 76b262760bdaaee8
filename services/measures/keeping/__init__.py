"""Results of measures kept up to date: a consumer of its own, group `feedback`, beside the registry in its database.

    events and loads ─▶ due (whose, which site's) ─▶ standings of a person ─▶ results of a site ─▶ <network>.feedback.v1

What comes is only noted (`due`), and evaluated once the registry has it: the registry's own place says so. A person's standings are made
anew as a whole and nobody else's are; results are counted from the standings; what became another waits to be told in the row that says
it. Everything here follows from the registry's tables and the measures, so it may be emptied and made again.
"""
