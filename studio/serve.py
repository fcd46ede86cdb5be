"""``python -m studio.serve``: the whole studio on one machine, until Ctrl-C.

Prepares the data folder and the database, then keeps a web server and a worker for each device
running. The web server is gunicorn with threads: a watching browser holds one of them, asleep, and
the pages are ordinary Django.
"""

from __future__ import annotations

import argparse
import os
import secrets
import signal
import subprocess
import sys
import time
from pathlib import Path

from dreamlib import child_environment

#: Threads of the web server: for streams (`studio.dreams.feed.MOST_STREAMS`), and for pages.
THREADS = 96

#: Seconds that processes are given to end by themselves, and before one that ended is restarted.
FAREWELL, PAUSE = 20, 2


def environment():
    """Return the environment of all processes, with defaults for what it lacks."""
    given = child_environment()
    data = Path(given.setdefault("DREAM_DATA", "studio-data")).resolve()
    given["DREAM_DATA"] = str(data)
    given.setdefault("DREAM_HOST", "127.0.0.1")
    given.setdefault("DREAM_PORT", "8000")
    given["DJANGO_SETTINGS_MODULE"] = "studio.settings"
    data.mkdir(mode=0o750, parents=True, exist_ok=True)
    if not given.get("DREAM_SECRET_KEY"):
        given["DREAM_SECRET_KEY"] = _kept_secret(data / "secret-key")
    return given


def _kept_secret(path):
    """Return the secret of this data folder, made at the first start."""
    if not path.exists():
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w") as file:
            file.write(secrets.token_urlsafe(60))
    return path.read_text().strip()


def prepare(given):
    """Make database, static files and first account ready; end if that fails.

    Parameters
    ----------
    given : dict
        See `environment`.
    """
    command = [sys.executable, "-m", "studio", "prepare"]
    done = subprocess.run(command, env=given, check=False)
    if done.returncode:
        sys.exit(done.returncode)


def web(given):
    """Return the command of the web server.

    Parameters
    ----------
    given : dict
        See `environment`.

    Returns
    -------
    list of str
    """
    return [
        sys.executable, "-m", "gunicorn", "studio.wsgi:application",
        f"--bind={given['DREAM_HOST']}:{given['DREAM_PORT']}", "--worker-class=gthread",
        "--workers=1", f"--threads={THREADS}", "--worker-connections=400", "--keep-alive=30",
        "--graceful-timeout=2", "--log-level=warning",
    ]  # fmt: skip


def worker(device):
    """Return the command of a worker.

    Parameters
    ----------
    device : str

    Returns
    -------
    list of str
    """
    return [sys.executable, "-m", "studio", "worker", f"--device={device}"]


def devices(given):
    """List the devices that get a worker: $DREAM_DEVICES, else this machine's; and the cluster.

    Parameters
    ----------
    given : dict
        See `environment`.

    Returns
    -------
    list of str
    """
    from studio.dreams.probe import CLUSTER, detect

    named = [name.strip() for name in given.get("DREAM_DEVICES", "").split(",") if name.strip()]
    shared = [CLUSTER] if given.get("DREAM_CLUSTER") else []
    return [*(named or detect()), *shared]


class Processes:
    """Processes that are kept running.

    Parameters
    ----------
    commands : dict
        Name -> command.
    given : dict
        Their environment.
    """

    def __init__(self, commands, given):
        self._commands, self._environment = commands, given
        self._running, self._ended = {}, {}

    def keep(self):
        """Start each process that does not run; one that keeps ending, only after a pause."""
        for name, command in self._commands.items():
            process = self._running.get(name)
            if process is not None and process.poll() is None:
                continue
            if process is not None and name not in self._ended:
                print(f"studio: {name} ended with code {process.returncode}; starting it again",
                      file=sys.stderr, flush=True)  # fmt: skip
                self._ended[name] = time.monotonic()
            if time.monotonic() - self._ended.get(name, float("-inf")) >= PAUSE:
                self._ended.pop(name, None)
                # A group of its own: Ctrl-C is for this process, which ends the others in order.
                self._running[name] = subprocess.Popen(
                    command, env=self._environment, start_new_session=True
                )

    def end(self):
        """End all of them: politely, then not."""
        for process in self._running.values():
            if process.poll() is None:
                process.terminate()
        deadline = time.monotonic() + FAREWELL
        for process in self._running.values():
            try:
                process.wait(max(0.1, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def main(argv=None):
    """Serve until a signal says otherwise.

    Parameters
    ----------
    argv : list of str, optional
        ``--web`` leaves the workers out: they run elsewhere.
    """
    parser = argparse.ArgumentParser(prog="python -m studio.serve", description="Run the studio.")
    parser.add_argument("--web", action="store_true", help="the web server alone; no workers")
    options = parser.parse_args(argv)
    given = environment()
    prepare(given)
    commands = {"web server": web(given)}
    if not options.web:
        commands.update({f"worker of {name}": worker(name) for name in devices(given)})
    processes = Processes(commands, given)
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _end)
    try:
        processes.keep()
        print(
            f"studio: http://{given['DREAM_HOST']}:{given['DREAM_PORT']}/  (Ctrl-C ends it)",
            flush=True,
        )
        while True:
            time.sleep(0.5)
            processes.keep()
    except KeyboardInterrupt:
        print("studio: ending; unfinished dreams resume at the next start", flush=True)
    finally:
        processes.end()


def _end(number, frame):
    signal.signal(number, signal.SIG_IGN)
    raise KeyboardInterrupt


if __name__ == "__main__":
    main()
