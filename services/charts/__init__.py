"""Charts: lines and rules (pure), what a chart shows, and pictures of it.

A kind of chart is a file of `limits`, a set of rules a file of `rules`; `chart` puts a series together, `funnel` sites beside each
other. Plain numbers and labels come in; what they are called is the pages' business. Of ours it imports nothing.
"""
