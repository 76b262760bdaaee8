"""How a site is read, a file a road: search, bulk export, files. A road knows the landing and a client, no other road."""
