"""What it means: FHIR resources to outcome records. Pure: no network, no clock, no database."""
