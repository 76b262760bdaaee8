"""Words from outside, read so that none of them can end a load: JSON, times. Every road reads by these, and by no others."""
