"""``@profile``: nothing in everyday runs, line-by-line memory under memory_profiler.

``python -m memory_profiler dream.py ...`` puts its decorator among the builtins before it runs the
script; without it a decorated function is the function itself.
"""

from __future__ import annotations

import builtins


def profile(function):
    """Hand `function` to memory_profiler if that runs the program, else return it as it is."""
    return getattr(builtins, "profile", lambda same: same)(function)
