"""A whole studio as `make serve` starts it, and somebody who uses it over HTTP."""

from __future__ import annotations

import contextlib
import http.cookiejar
import json
import os
import re
import signal
import socket
import subprocess
import sys
import urllib.error
import urllib.parse
import urllib.request
from pathlib import Path

import psutil

from tests.studio.waiting import until

REPOSITORY = Path(__file__).parent.parent.parent

#: Variables of the tests' own studio, which a live one must not inherit.
OWN = ("DREAM_DATA", "DREAM_SECRET_KEY", "DREAM_HOSTS", "DREAM_DATABASE", "DREAM_BROKER",
       "DREAM_HTTPS", "DREAM_DEBUG", "DREAM_CLUSTER")  # fmt: skip


def free_port():
    """Return a port that nobody listens at."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Studio:
    """Processes of a studio in a data folder of its own; a context manager.

    Parameters
    ----------
    folder : Path
    words : list of str
        For `studio.serve`.
    variables : dict
        Of the environment, beside those that a test needs.
    """

    def __init__(self, folder, words=(), **variables):
        self.folder, self.port = Path(folder), free_port()
        self.address = f"http://127.0.0.1:{self.port}"
        self.data = self.folder / "data"
        self.environment = {
            **{name: value for name, value in os.environ.items() if name not in OWN},
            "DREAM_DATA": str(self.data), "DREAM_PORT": str(self.port), "DREAM_DEVICES": "cpu",
            "PYTHONPATH": str(REPOSITORY), "OMP_NUM_THREADS": "1", **variables,
        }  # fmt: skip
        self._words, self._log = list(words), self.folder / "log.txt"
        self._processes = []

    def __enter__(self):
        self.folder.mkdir(exist_ok=True)
        self._no_examples()
        self._serve = self.start("-m", "studio.serve", *self._words)
        try:
            until(lambda: self.address in self.log() and self._answers())
        except BaseException:
            print(self.log())
            self.end()
            raise
        return self

    def __exit__(self, kind, *exception):
        self.end()
        if kind:
            print(self.log())

    def _no_examples(self):
        """Leave out the examples of layers, which take a minute of CPU."""
        for model in ("efficientnet_lite0", "small"):
            examples = self.data / "examples" / model
            examples.mkdir(parents=True)
            (examples / "layers.json").write_text("[]")
            (examples / "complete").touch()

    def start(self, *words, **variables):
        """Start a Python process of the studio's."""
        with open(self._log, "ab") as log:
            process = subprocess.Popen(
                [sys.executable, *words], env={**self.environment, **variables}, stdout=log,
                stderr=log, cwd=self.folder, start_new_session=True,
            )  # fmt: skip
        self._processes.append(process)
        return process

    def start_worker(self, device="cpu", **variables):
        """Start a worker by itself, as on another machine."""
        return self.start("-m", "studio", "worker", f"--device={device}", **variables)

    def end(self):
        """End all processes at once; a polite end takes a worker seconds."""
        for process in self._processes:
            family = []
            with contextlib.suppress(psutil.NoSuchProcess):
                family = psutil.Process(process.pid).children(recursive=True)
            for one in (process, *family):  # the parent first, which would start them again
                with contextlib.suppress(psutil.NoSuchProcess):
                    one.kill()
            process.wait()

    def log(self):
        """Return what was printed so far."""
        return self._log.read_text() if self._log.exists() else ""

    def _answers(self):
        assert self._serve.poll() is None, "the studio ended"
        try:
            urllib.request.urlopen(f"{self.address}/login/", timeout=5).close()
        except OSError:
            return False
        return True

    @property
    def password(self):
        """What the first start printed."""
        return re.search(r"log in as admin with the password (\S+)", self.log())[1]

    def worker(self):
        """Return the worker's process that `studio.serve` keeps."""
        for child in psutil.Process(self._serve.pid).children():
            with contextlib.suppress(psutil.NoSuchProcess, psutil.ZombieProcess):
                if "worker" in child.cmdline():
                    return child
        return None

    def web_seconds(self):
        """Return the seconds of CPU that the web server has taken so far."""
        spent = 0.0
        for child in psutil.Process(self._serve.pid).children():
            if "gunicorn" in child.cmdline():
                for process in (child, *child.children(recursive=True)):
                    spent += sum(process.cpu_times()[:2])
        return spent

    def kill_worker(self):
        """Kill the worker as a lack of memory would; return what of it is gone, and its pid."""
        worker = self.worker()
        family = [worker, *worker.children(recursive=True)]
        worker.send_signal(signal.SIGKILL)
        return family


class NotThere(Exception):
    """The server did not answer 200; the status is the argument."""


class Visitor:
    """Somebody with an account, without a browser."""

    def __init__(self, studio, name="admin", password=None):
        self.address, self._jar = studio.address, http.cookiejar.CookieJar()
        self._opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(self._jar))
        self.get("/login/")
        page = self.post("/login/", {"username": name, "password": password or studio.password})
        assert "Log out" in page

    def _open(self, path, data=None, **headers):
        request = urllib.request.Request(self.address + path, data, headers)
        try:
            with self._opener.open(request, timeout=60) as answer:
                self.arrived, self.headers = answer.geturl(), answer.headers
                return answer.read()
        except urllib.error.HTTPError as error:
            raise NotThere(error.code) from error

    @property
    def cookies(self):
        """What a browser would send: the header's text."""
        return "; ".join(f"{cookie.name}={cookie.value}" for cookie in self._jar)

    def get(self, path):
        """Return a page's text."""
        return self._open(path).decode()

    def file(self, path):
        """Return a file's bytes."""
        return self._open(path)

    def post(self, path, values):
        """Send a form."""
        token = next(cookie.value for cookie in self._jar if cookie.name == "csrftoken")
        data = urllib.parse.urlencode({**values, "csrfmiddlewaretoken": token}).encode()
        return self._open(path, data, Referer=self.address).decode()

    def dream(self, values, noise="96x96", **more):
        """Queue a dream; return its number."""
        self.post(
            "/dreams/new/", {"noise": noise, "clip": "on", "normalise": "on", **values, **more}
        )
        number = re.search(r"/dreams/([0-9a-f-]{36})/$", self.arrived)
        assert number, "the form was refused"
        return number[1]

    def told(self, number):
        """Return what the studio tells of a dream now."""
        told = json.loads(self.get("/dreams/state/"))["dreams"]
        return next(dream for dream in told if dream["id"] == number)

    def wait_until_done(self, number, seconds=120, pause=0.2):
        """Wait for a dream's end; return what is told of it then."""
        until(lambda: self.told(number)["state"] not in ("queued", "running"), seconds, pause)
        told = self.told(number)
        assert told["state"] == "done", told
        return told
