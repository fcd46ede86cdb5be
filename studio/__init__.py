"""The studio: a web page where dreams are queued, watched and looked at.

A Django project. `studio.serve` starts all of it, `studio.child` is the process that dreams.
"""
