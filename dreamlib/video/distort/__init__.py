"""Distortions of a picture between two frames of an endless film.

>>> chain = parse_chain("zoom:0.05, rotate:2, roll:rows:sine(12,80)", seed=7)
>>> chain.apply(picture, frame)  # (H, W, 3) float32, changed in place

Each module holds the distortions of one idea: functions that `registry` knows by name. `chain`
reads a list of them and applies one after the other. docs/distortions.md shows all of them, and how
to add one.
"""

from dreamlib.video.distort.chain import WITHOUT_CODE, Chain, forms, parse_chain, runs_code

__all__ = ["WITHOUT_CODE", "Chain", "forms", "parse_chain", "runs_code"]
