"""What people say: tests of change they tried, new lines of charts they approved.

Kept in the registry's database beside what came by the stream, and never overwritten by it. Nothing here is of a single patient.
"""
