"""A network of three hospitals on one machine: synthetic children, real servers, broker, database, registry and page."""
