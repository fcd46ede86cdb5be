"""An image without docker: the instructions of a Dockerfile, carried out in a folder by chroot."""

from __future__ import annotations

import contextlib
import shutil
import subprocess
from pathlib import Path

from tests.docker.dockerfile import PROJECT, context, copied, parse, substitute

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@contextlib.contextmanager
def copy_of(root, folder):
    """Give a copy of a root, in an empty folder, gone in the end: written to without harm.

    An overlay, where the kernel makes one there; else the files, copied.
    """
    parts = {name: folder / name for name in ("lowerdir", "upperdir", "workdir", "merged")}
    parts["lowerdir"] = root
    for name in ("upperdir", "workdir", "merged"):
        parts[name].mkdir()
    merged = parts.pop("merged")
    options = ",".join(f"{name}={path}" for name, path in parts.items())
    mount = ["mount", "-t", "overlay", "overlay", "-o", options, merged]
    mounted = subprocess.run(mount, capture_output=True, check=False).returncode == 0
    try:
        if not mounted:
            subprocess.run(["cp", "-a", "--reflink=auto", f"{root}/.", merged], check=True)
        yield merged
    finally:
        if mounted:
            subprocess.run(["umount", merged], check=True)
        shutil.rmtree(folder)


class Image:
    """A Dockerfile's image, built.

    Parameters
    ----------
    dockerfile : Path
    root : Path
        The base's files; changed in place. Root may be needed to enter it.
    arguments : dict of str -> str
        Build arguments, instead of their defaults.

    Attributes
    ----------
    environment : dict of str -> str
    user, folder : str
    entrypoint, command : list of str
    """

    def __init__(self, dockerfile, root, arguments=()):
        self.root = Path(root)
        self.environment = {"HOME": "/", "PATH": PATH}
        self.user, self.folder = "0", "/"
        self.entrypoint, self.command = [], []
        self._given, self._arguments = dict(arguments), {}
        self._files = context()
        for keyword, words in parse(dockerfile.read_text()):
            getattr(self, "_" + keyword.lower())(words)

    def run(self, *arguments, user=None, entrypoint=None, **environment):
        """Run the image as ``docker run [--user USER] [-e NAME=TEXT] IMAGE ARGUMENTS`` does.

        As there, a user that the image does not know has its root as home, if it says no other.

        Returns
        -------
        subprocess.CompletedProcess
            With ``stdout``, which has stderr in it.
        """
        program = [entrypoint] if entrypoint else self.entrypoint
        return self._enter([*program, *(arguments or self.command)], user or self.user, environment)

    def _enter(self, command, user, more=()):
        environment = {**self.environment, **dict(more)}
        environment = [f"{name}={value}" for name, value in environment.items()]
        shell = ["sh", "-c", 'cd "$1" && shift && exec "$@"', "sh", self.folder]
        group = user if ":" in user else f"{user}:{user}"
        return subprocess.run(
            ["chroot", f"--userspec={group}", "--groups=", self.root, "env", "-i", *environment,
             *shell, *map(str, command)],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            timeout=300, check=False,
        )  # fmt: skip

    def _from(self, words):
        pass  # the root is there

    def _arg(self, words):
        name, _, default = words[0].partition("=")
        self._arguments[name] = self._given.get(name, default)

    def _env(self, words):
        self.environment.update(word.split("=", 1) for word in words)

    def _copy(self, words):
        *sources, destination = words
        for source, below in copied(sources, self._files):
            target = self.root / destination.lstrip("/") / below
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(PROJECT / source, target)

    def _run(self, words):
        command = [substitute(word, self._arguments) for word in words]
        result = self._enter(command, self.user)
        if result.returncode:
            raise RuntimeError(f"{command} ended with {result.returncode}:\n{result.stdout}")

    def _user(self, words):
        self.user = words[0]

    def _workdir(self, words):
        self.folder = words[0]
        (self.root / self.folder.lstrip("/")).mkdir(parents=True, exist_ok=True)

    def _entrypoint(self, words):
        self.entrypoint = words

    def _cmd(self, words):
        self.command = words
