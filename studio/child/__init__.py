"""The process that dreams, tries, plans, looks at uploads and makes examples.

It knows nothing of Django: its order comes as a line of JSON on stdin, what it has to say goes as
such lines to stdout. ``leave`` on stdin has a dream left at its next step; where stdin ends, the
parent is gone, and so goes the child, at once, because another may be about to take its work up.
"""
