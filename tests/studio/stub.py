"""A child that needs no network: it dreams nothing until it is to leave, and refuses all else."""

from __future__ import annotations

import itertools
import os
from pathlib import Path

from dreamlib import DreamError
from studio.child import __main__ as child


def refuse(order, say, leave):
    """Say why, with the server's folders."""
    raise DreamError(f"the stub refuses {order.get('folder') or order['output']}")


def dream(order, say, leave):
    """Take steps that lead nowhere."""
    if "end" in order["values"]:
        refuse(order, say, leave)
    (Path(order["folder"]) / "work").mkdir(exist_ok=True)
    for step in itertools.count(1):
        say(phase="dreaming", share=step / (step + 100), octave=1, octaves=1, seconds_left=1.0)
        if leave.wait(0.05):
            return {"left": True}


if __name__ == "__main__":
    child.WORK.update({"dream": "tests.studio.stub:dream", "try": "tests.studio.stub:refuse"})
    os._exit(child.main())
