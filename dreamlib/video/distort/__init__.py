"""Distortions: what happens to a picture between two dreams of an endless film.

>>> chain = parse_chain("zoom:0.05, rotate:2, roll:rows:sine(12,80)", seed=7)
>>> chain.apply(picture, frame)  # (H, W, 3) float32, changed in place

Each module holds the distortions of one idea, functions that `registry` knows by name; `chain`
reads a list of them and does one after the other. docs/distortions.md shows them all, and how to
add one.
"""

from dreamlib.video.distort.chain import WITHOUT_CODE, Chain, forms, parse_chain

__all__ = ["WITHOUT_CODE", "Chain", "forms", "parse_chain"]
