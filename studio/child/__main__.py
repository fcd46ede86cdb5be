"""``python -m studio.child``: read an order, do it, say how it went."""

from __future__ import annotations

import json
import os
import sys
import threading
import traceback

from dreamlib.errors import DreamError

#: Set where the parent wants the dream to be left.
leave = threading.Event()

EXIT_FAILED = 1


def main():
    """Do what stdin orders; return the exit code."""
    # What libraries print is not for the parent's ears.
    ears = os.fdopen(os.dup(1), "w", buffering=1)
    os.dup2(2, 1)

    def say(**words):
        print(json.dumps(words), file=ears, flush=True)

    order = json.loads(sys.stdin.readline())
    threading.Thread(target=_listen, daemon=True).start()
    try:
        say(done=True, **(_work(order.pop("kind"))(order, say, leave) or {}))
    except DreamError as error:
        say(refused=str(error))
    except Exception:
        traceback.print_exc()
        say(failed=traceback.format_exc(limit=-3))
        return EXIT_FAILED
    return 0


def _listen():
    for line in sys.stdin:
        if line.strip() == "leave":
            leave.set()
    os._exit(EXIT_FAILED)


def _work(kind):
    """Return the function of an order; heavy imports are left to those that need them."""
    if kind == "dream":
        from .dreams import dream as work
    elif kind == "film":
        from .films import film as work
    elif kind == "try":
        from .trials import try_region as work
    elif kind == "plan":
        from .trials import tell_plan as work
    elif kind == "inspect":
        from .pictures import inspect as work
    elif kind == "layers":
        from .examples import dream_layers as work
    elif kind == "class":
        from .examples import draw_class as work
    else:
        raise ValueError(f"there is no order {kind!r}")
    return work


if __name__ == "__main__":
    sys.stdout.flush()
    os._exit(main())  # stdin's reader may hold a lock that an orderly end would wait for
