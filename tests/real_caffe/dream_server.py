"""Runs in the Debian 11 root: dreams in forks of a process that has imported Caffe already.

Reads lines of JSON, [folder, arguments of dream.py]; what a dream prints goes to said.txt in its
folder. Answers each line with the exit status, as a line.
"""

import json
import os
import sys
import traceback

import caffe  # noqa: F401

from dreamlib import cli


def dream(folder, arguments):
    """Be the command, and end with its status."""
    status = 70
    try:
        os.chdir(folder)
        said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        sys.argv = ["dream.py", *arguments]
        status = cli.main(arguments)
    except BaseException as error:
        status = error.code if isinstance(error, SystemExit) else 70
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)


for line in sys.stdin:
    child = os.fork()
    if not child:
        os.close(0)
        os.open(os.devnull, os.O_RDONLY)
        dream(*json.loads(line))
    print(os.waitpid(child, 0)[1], flush=True)
