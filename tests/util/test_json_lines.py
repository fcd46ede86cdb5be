"""Messages between processes, over real pipes."""

from __future__ import annotations

import os
import subprocess
import sys
import threading

import pytest

from dreamlib.util.json_lines import Reader, send


@pytest.fixture
def pipe():
    """The two ends of a pipe: to read, to write."""
    read, write = os.pipe()
    with os.fdopen(read, "rb") as reading, os.fdopen(write, "wb") as writing:
        yield reading, writing


def test_messages_arrive_whole_and_in_order(pipe):
    reading, writing = pipe
    messages = [{"word": "ä\n"}, {"list": [1, 2.5, None]}, {}]
    assert all(send(writing, message) for message in messages)
    writing.close()
    assert list(Reader(reading)) == messages


def test_a_message_that_comes_in_parts_is_waited_for(pipe):
    reading, writing = pipe
    reader = Reader(reading)
    os.write(writing.fileno(), b'{"a": 1}\n{"b"')
    assert reader.wait() == [{"a": 1}]
    os.write(writing.fileno(), b": 2")
    assert reader.wait() == []
    os.write(writing.fileno(), b"}\n")
    assert reader.wait() == [{"b": 2}]


def test_what_was_cut_when_its_writer_was_killed_is_left_out(pipe):
    reading, writing = pipe
    os.write(writing.fileno(), b'{"a": 1}\n{"b": ')
    writing.close()
    assert list(Reader(reading)) == [{"a": 1}]


def test_a_reader_can_be_waited_for_with_others(pipe):
    reading, _ = pipe
    assert Reader(reading).fileno() == reading.fileno()


def test_to_one_who_is_gone_nothing_can_be_said(pipe):
    reading, writing = pipe
    reading.close()
    assert not send(writing, {"a": 1})
    writing.close()  # nothing is left to be written


def test_a_message_may_be_larger_than_a_pipe_holds(pipe):
    reading, writing = pipe
    message = {"much": "x" * (1 << 20)}
    thread = threading.Thread(target=send, args=(writing, message))
    thread.start()
    assert next(iter(Reader(reading))) == message
    thread.join()


def test_what_libraries_print_is_no_message():
    script = (
        "import os\n"
        "from dreamlib.util.json_lines import own_stdout, send\n"
        "stream = own_stdout()\n"
        "print('a word of Python', flush=True)\n"
        "os.write(1, b'a word of C')\n"
        "send(stream, {'a': 1})\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b'{"a": 1}\n'
    assert done.stderr.startswith(b"a word of Python")
