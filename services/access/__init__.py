"""Who may see what: roles and sites of whoever is logged in, the log-in itself, sessions, and the log of who saw whom.

A route declares by `seen_by` or `open_to_all` who may see it; `Gate` holds every request to that, and an application with a
route that declares nothing does not start. Knows no page and no record: pages word what is refused, and show by `Viewer.sees`.
"""
