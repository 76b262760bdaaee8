"""FHIR's data types read leniently, its type names, and the judge. Knows no rule and no record."""
