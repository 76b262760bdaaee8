"""One FHIR server: HTTP, log-in kinds, origins it may name, limits, what it says it can do. Knows no road."""
