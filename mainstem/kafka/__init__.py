"""How any of ours reaches a broker: settings, topics, clients. Knows no event's content."""
