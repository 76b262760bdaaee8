"""`mainstem check`: from the name in the DNS to a mapped sample; each finding with cause, fix and who."""
