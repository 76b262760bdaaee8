"""Where it comes from: FHIR servers, bulk exports, folders of NDJSON."""
