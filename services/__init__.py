"""Who listens: reference consumers of the stream, replaceable by anyone's.

Of `mainstem` they see the consumer kit, Kafka, databases and settings only: the centre never reaches an EHR.
"""
