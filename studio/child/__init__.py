"""The process that dreams, tries, plans, looks at uploads and makes examples.

It knows nothing of Django: its order comes as a line of JSON on stdin, its reports go as such lines
to stdout. ``{"leave": true}`` on stdin makes it leave a dream at the next step. Where stdin ends,
the parent is gone; the child ends at once, because another may be about to resume its work.
"""
