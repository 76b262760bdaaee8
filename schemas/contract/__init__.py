"""The contract as files: JSON Schemas, an AsyncAPI document, a readable catalogue, and the check that a release breaks none before it.

`schemas/generated/` is what the models say now, `schemas/released/` what they said at each release; both are written by
`mainstem schemas`. Nothing here is imported by what moves events.
"""
