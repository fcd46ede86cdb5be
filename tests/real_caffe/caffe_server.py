"""Runs in the Debian 11 root: programs in forks of a process that has imported Caffe already.

Reads lines of JSON, [folder, arguments of Python]; what a program prints goes to said.txt in its
folder. Answers each line with the exit status, as a line.
"""

import json
import os
import runpy
import sys
import traceback

import caffe  # noqa: F401


def be_python(option, *words):
    """Run ``-m MODULE`` or ``SCRIPT`` with its arguments."""
    if option == "-m":
        sys.argv = list(words)
        runpy.run_module(words[0], run_name="__main__", alter_sys=True)
    else:
        sys.argv = [option, *words]
        runpy.run_path(option, run_name="__main__")


def end_as(folder, arguments):
    """Be Python with these arguments, and end with its status."""
    status = 0
    try:
        os.chdir(folder)
        said = os.open("said.txt", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
        os.dup2(said, 1)
        os.dup2(said, 2)
        be_python(*arguments)
    except SystemExit as end:
        status = end.code or 0
    except BaseException:
        status = 70
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
        end_as(*json.loads(line))
    print(os.waitpid(child, 0)[1], flush=True)
