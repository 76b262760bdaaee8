"""Who listens: reference consumers of the stream, replaceable by anyone's."""
