"""A real Redis and a real PostgreSQL, of a test's own, on ports that were free."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import subprocess
import tempfile
from pathlib import Path

from tests.studio.live import free_port
from tests.studio.waiting import until


def redis_server():
    """Return the path of Redis' server; None where it is not installed."""
    return shutil.which("redis-server")


def postgres_programs():
    """Return the newest folder that has PostgreSQL's programs; None where there is none."""
    found = [path.parent for path in Path("/usr/lib/postgresql").glob("*/bin/initdb")]
    if shutil.which("initdb"):
        found.append(Path(shutil.which("initdb")).parent)
    return max(found, key=lambda path: (len(path.parent.name), path.parent.name), default=None)


@contextlib.contextmanager
def _kept_running(command, log, **options):
    """Run a server while the block lasts."""
    with open(log, "ab") as file:
        process = subprocess.Popen(
            [str(word) for word in command], stdout=file, stderr=file, **options
        )
    try:
        yield process
    finally:
        process.terminate()
        process.wait(20)


def _wait(process, ready, log):
    """Wait until a server answers; tell what it said if it has ended."""

    def answers():
        assert process.poll() is None, Path(log).read_text(errors="replace")
        return ready()

    until(answers, pause=0.1)


@contextlib.contextmanager
def redis(folder):
    """Run a Redis that keeps nothing; give its address."""
    import redis

    port, log = free_port(), folder / "redis.log"
    command = [
        redis_server(), "--port", port, "--bind", "127.0.0.1", "--save", "", "--appendonly", "no",
        "--dir", folder,
    ]  # fmt: skip
    with _kept_running(command, log) as process, redis.Redis(port=port) as client:

        def ready():
            with contextlib.suppress(redis.ConnectionError):
                return client.ping()

        _wait(process, ready, log)
        yield f"redis://127.0.0.1:{port}/0"


@contextlib.contextmanager
def postgres():
    """Run a PostgreSQL with an empty database; give its address.

    It refuses to be root; then it is the user that its package made, or nobody.
    """
    import psycopg

    programs, port = postgres_programs(), free_port()
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    options = {"cwd": folder}
    if os.getuid() == 0:
        users = {entry.pw_name: entry.pw_gid for entry in pwd.getpwall()}
        user = "postgres" if "postgres" in users else "nobody"
        options.update(user=user, group=users[user], extra_groups=[])
        shutil.chown(folder, user)
    try:
        subprocess.run(
            [programs / "initdb", "--pgdata", folder / "data", "--username=studio", "--auth=trust",
             "--no-sync", "--encoding=UTF8", "--locale=C"],
            check=True, capture_output=True, **options,
        )  # fmt: skip
        command = [
            programs / "postgres", "-D", folder / "data", "-p", port, "-k", folder,
            "-c", "listen_addresses=127.0.0.1", "-c", "fsync=off",
        ]  # fmt: skip
        address, log = f"postgres://studio@127.0.0.1:{port}/postgres", folder / "log"
        with _kept_running(command, log, **options) as process:

            def ready():
                with contextlib.suppress(psycopg.OperationalError):
                    psycopg.connect(address, connect_timeout=5).close()
                    return True

            _wait(process, ready, log)
            yield address
    finally:
        shutil.rmtree(folder, ignore_errors=True)
