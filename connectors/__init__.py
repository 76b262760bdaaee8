"""Where it comes from: FHIR servers, bulk exports, folders of NDJSON. `pulling` is the face; a vendor is a file of data."""
