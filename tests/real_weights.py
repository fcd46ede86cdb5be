"""The trained networks that are never committed, for the tests that need them.

They are looked for in $DREAMLIB_MODELS and in ``models/``, as ``NAME/NAME.caffemodel``.
"""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path

import pytest

from dreamlib.models.model import REPOSITORY, load_model


def real_model(name):
    """The model with its trained weights; skips the test where they are not."""
    model = load_model(REPOSITORY / "models" / name)
    places = [Path(p) for p in os.environ.get("DREAMLIB_MODELS", "").split(os.pathsep) if p]
    for place in (*places, REPOSITORY / "models"):
        weights = place / name / model.weights.name
        if weights.is_file():
            return dataclasses.replace(model, weights=weights.resolve())
    reason = f"the weights of {name} are not here: make fetch-model MODEL={name}"
    pytest.skip(f"{reason}, or name their folder in DREAMLIB_MODELS")
