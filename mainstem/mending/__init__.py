"""Making the topic what the states say: telling again what was published, comparing both, mending what differs.

Reads the state's published records and sends by the site's own publisher; nothing here maps or asks an EHR. Add here what sets
a topic right; what a state keeps for it is in mainstem.state.mending.
"""
