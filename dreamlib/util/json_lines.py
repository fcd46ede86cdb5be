"""How two processes of ours talk: JSON objects, one a line, over pipes."""

from __future__ import annotations

import json
import os


def own_stdout():
    """Take stdout for messages; what native libraries print there goes to stderr from now on.

    Returns
    -------
    file
        For `send`.
    """
    stream = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)
    return stream


def send(stream, message):
    """Write a message.

    Parameters
    ----------
    stream : file
        A pipe; written past its own buffer, in which nothing must be left to write.
    message : dict
        Of what JSON knows.

    Returns
    -------
    bool
        False where nobody is there any more to read it.
    """
    line = memoryview(json.dumps(message).encode() + b"\n")
    try:
        while line:
            line = line[os.write(stream.fileno(), line) :]
    except BrokenPipeError:
        return False
    return True


class Reader:
    """The messages that come out of a pipe.

    Iterating waits for each, until the other end is closed. A last line that is not whole, because
    its writer was killed, is left out.

    Parameters
    ----------
    stream : file
        A pipe; read past its own buffer, in which nothing must be left to read.
    """

    def __init__(self, stream):
        self._stream, self._rest = stream, b""

    def fileno(self):
        """Return the descriptor that becomes readable when there is something to `wait` for."""
        return self._stream.fileno()

    def wait(self):
        """Wait for something to come.

        Returns
        -------
        list of dict, or None
            The messages that are whole by now, perhaps none; None at the end.
        """
        data = os.read(self.fileno(), 1 << 16)
        if not data:
            return None
        *lines, self._rest = (self._rest + data).split(b"\n")
        return [json.loads(line) for line in lines]

    def __iter__(self):
        while (messages := self.wait()) is not None:
            yield from messages
