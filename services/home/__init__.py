"""The families' own page, a server apart from the staff's: one page on a phone, by a code from the clinic, in their language.

To add a language, add `words/<code>.po`; to add a question, see `services.people`. Nothing here is seen by staff, and no page of the
staff's is reachable from here.
"""
