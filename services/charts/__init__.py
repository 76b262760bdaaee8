"""Charts: limits and rules (pure), what a control chart shows, and pictures of it.

Plain numbers and labels come in; what they are called is the pages' business. Of ours it imports nothing.
"""
