"""Machines of a cluster: network namespaces with an address each, that share no folder.

They need root and ip, from Debian's iproute2; everything in them dies with `Machines`.
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

from dreamlib.util.subprocesses import environment

NETWORK = "10.213.{}.{}"


def why_not():
    """Say why there can be no machines here; None where there can."""
    if os.geteuid() != 0:
        return "network namespaces need root"
    if not shutil.which("ip") or not shutil.which("unshare"):
        return "there is no ip or unshare (iproute2, util-linux)"
    trial = f"dreamtry{os.getpid()}"
    done = _ip("netns", "add", trial, check=False)
    if done.returncode:
        return f"no network namespace can be made: {done.stderr.decode().strip()}"
    _ip("netns", "del", trial)
    return None


def _ip(*arguments, check=True):
    return subprocess.run(["ip", *arguments], check=check, capture_output=True)


class Machines:
    """A bridge of this machine, and machines behind it.

    Parameters
    ----------
    count : int
    hidden : Path
        A folder of this machine that they see empty.
    """

    def __init__(self, count, hidden):
        self._part = os.getpid() % 200 + 20
        self._bridge, self.hidden = f"dream{self._part}", hidden
        self.own = NETWORK.format(self._part, 1)
        self.processes = []
        _ip("link", "add", self._bridge, "type", "bridge")
        _ip("addr", "add", f"{self.own}/24", "dev", self._bridge)
        _ip("link", "set", self._bridge, "up")
        self.addresses = [NETWORK.format(self._part, 10 + number) for number in range(count)]
        for number, address in enumerate(self.addresses):
            name, outer = self._name(number), self._cable(number)
            _ip("netns", "add", name)
            _ip("link", "add", outer, "type", "veth", "peer", "name", "eth0", "netns", name)
            _ip("link", "set", outer, "master", self._bridge, "up")
            for command in (
                ["addr", "add", f"{address}/24", "dev", "eth0"],
                ["link", "set", "eth0", "up"],
                ["link", "set", "lo", "up"],
            ):
                _ip("-n", name, *command)

    def _name(self, number):
        return f"{self._bridge}-{number}"

    def _cable(self, number):
        return f"dc{self._part}-{number}"

    def plug(self, number, there):
        """Put the cable of a machine in, or pull it out."""
        _ip("link", "set", self._cable(number), "up" if there else "down")

    def start(self, number, *command, **variables):
        """Start a Python module on a machine: a Popen."""
        script = f'mount -t tmpfs none "{self.hidden}" && exec "$@"'
        process = subprocess.Popen(
            ["ip", "netns", "exec", self._name(number), "unshare", "--mount", "sh", "-c", script,
             "sh", sys.executable, "-m", *command],
            env=environment(OMP_NUM_THREADS="1", DASK_LOGGING__DISTRIBUTED="error", **variables),
            start_new_session=True, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        self.processes.append(process)
        return process

    def scheduler(self, number=0, *more, **variables):
        """Start a scheduler on a machine; return its address."""
        address = f"tcp://{self.addresses[number]}:8786"
        self.start(
            number, "distributed.cli.dask_scheduler", "--host", self.addresses[number],
            "--port", "8786", "--dashboard-address", "127.0.0.1:0", *more, **variables,
        )  # fmt: skip
        return address

    def worker(self, number, scheduler, *more, device="cpu", **variables):
        """Start a worker on a machine: a Popen."""
        resources = ["--resources", f"{device}=1"] if device else []
        return self.start(
            number, "distributed.cli.dask_worker", scheduler, "--host", self.addresses[number],
            "--nthreads", "1", "--memory-limit", "0", "--no-dashboard", *resources, *more,
            **variables,
        )  # fmt: skip

    def end(self, process):
        """Kill a process, and all that it has started."""
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()

    def close(self):
        """Take everything down."""
        for process in self.processes:
            self.end(process)
        for number in range(len(self.addresses)):
            _ip("netns", "del", self._name(number))
        _ip("link", "del", self._bridge)


def until(condition, seconds=60):
    """Wait until something holds; return whether it does."""
    deadline = time.monotonic() + seconds
    while not condition() and time.monotonic() < deadline:
        time.sleep(0.05)
    return bool(condition())


def alive(pid):
    """Tell whether a process runs; one that only waits to be reaped does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def certificate(folder):
    """Make a certificate for everybody; return Dask's configuration of it."""
    key, made = folder / "key.pem", folder / "certificate.pem"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj",
         "/CN=dream", "-keyout", key, "-out", made],
        check=True, capture_output=True,
    )  # fmt: skip
    tls = {"distributed.comm.tls.ca-file": str(made)}
    for role in ("scheduler", "worker", "client"):
        tls[f"distributed.comm.tls.{role}.key"] = str(key)
        tls[f"distributed.comm.tls.{role}.cert"] = str(made)
    return tls
