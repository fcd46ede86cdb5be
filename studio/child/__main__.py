"""``python -m studio.child``: read an order, do it, report how it went."""

from __future__ import annotations

import os
import sys
import threading
import traceback
from importlib import import_module

from dreamlib import ClusterAway, DreamError, MessageReader, own_stdout, send_message

#: Kind of order -> the function that does it; imported when it is needed, for some are heavy.
WORK = {
    "dream": "studio.child.dreams:dream",
    "film": "studio.child.films:film",
    "try": "studio.child.trials:try_region",
    "plan": "studio.child.trials:tell_plan",
    "inspect": "studio.child.pictures:inspect",
    "layers": "studio.child.examples:dream_layers",
    "class": "studio.child.examples:draw_class",
}

EXIT_FAILED = 1


def main():
    """Do what stdin orders; return the exit code."""
    stream, leave = own_stdout(), threading.Event()

    def say(**words):
        send_message(stream, words)

    messages = iter(MessageReader(sys.stdin))
    order = next(messages)
    threading.Thread(target=_listen, args=(messages, leave), daemon=True).start()
    try:
        module, _, function = WORK[order.pop("kind")].partition(":")
        work = getattr(import_module(module), function)
        say(done=True, **(work(order, say, leave) or {}))
    except ClusterAway as error:
        say(away=str(error))
    except DreamError as error:
        say(refused=str(error))
    except Exception:
        traceback.print_exc()
        say(failed=traceback.format_exc(limit=-3))
        return EXIT_FAILED
    return 0


def _listen(messages, leave):
    for message in messages:
        if message.get("leave"):
            leave.set()
    os._exit(EXIT_FAILED)


if __name__ == "__main__":
    os._exit(main())  # stdin's reader may hold a lock that an orderly end would wait for
