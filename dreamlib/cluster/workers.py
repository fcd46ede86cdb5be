"""Workers that step on a phase's tiles: who is given which, and what if it does not come back.

The picture does not depend on the number of workers, nor on which of them steps on what. In its
last bits it does depend on what computes a tile's gradient, so workers that round differently are
refused: see `dreamlib.cluster.members`. Each is given a task at a time, and one in advance; what
one of them is late with, an idle one does too, and the first answer counts.
"""

from __future__ import annotations

import contextlib
import importlib.util
import time
import traceback
from concurrent.futures import CancelledError
from functools import partial

from dreamlib.cluster.connection import connect, devices_of, has_page, import_dask
from dreamlib.cluster.local import LocalWorkers
from dreamlib.cluster.members import Admission, Member, Refused
from dreamlib.cluster.rounds import Round, Task
from dreamlib.cluster.task import perform
from dreamlib.errors import ClusterAway, DreamError
from dreamlib.tiling.stepper import load_stepper
from dreamlib.util.devices import parse_devices

#: Number of workers in a row that a tile, or a start, may cost.
MOST_CRASHES = 3

#: Seconds between two looks at who is there; that a dream's beginning waits for the last workers of
#: a cluster; and without any worker, until the dream is left.
LOOK, LATECOMERS, PATIENCE = 0.5, 20, 300

#: Seconds that a process of this machine is given, when a phase is done, for a tile that it is late
#: with; then it is ended.
GRACE = 2


class WorkerError(RuntimeError):
    """A defect that showed in a worker; ends with the worker's own traceback."""


class Workers:
    """Workers, each with a network of its own: processes of this machine, or of a cluster.

    One that dies gives its tiles back; in its place a process is started here, and elsewhere
    whoever joins the cluster is taken. Whoever leaves the generator of `steps` or `measure` early,
    by ``close()`` or an error, is told of no more tiles; those under way count as not done.

    Parameters
    ----------
    dream : dreamlib.tiling.octaves.Dream
    devices : str, optional
        One for each process, as `dreamlib.util.devices.parse_devices` takes them.
    cluster : str, optional
        In their place: see `dreamlib.cluster.connection.connect`.
    folder : str or Path, optional
        Of the canvases, where they lie in files.
    say : callable, optional
        Given a line for the user.
    load : callable
        Makes a `Stepper` of a `Dream`, on a GPU or None, on the worker.
    threads : int
        Of the CPU, for each process. The picture depends on it.

    Raises
    ------
    DreamError
        There is no such device or cluster, or a worker cannot take part; or the network cannot be
        loaded.
    """

    def __init__(
        self, dream, devices=None, cluster=None, folder=None, say=None, load=load_stepper, threads=1
    ):
        self._local = None if cluster else LocalWorkers(parse_devices(devices), threads)
        self._connect = partial(connect, cluster) if cluster else self._local.connect
        self._client = self._connect()
        self._name, self._say = cluster or devices, say or (lambda line: None)
        self._sizes = [octave.window[2:] for octave in dream.octaves]
        self._news = import_dask().as_completed(
            loop=self._client.loop, with_results=True, raise_errors=False
        )
        self._expected = {}  # key of a future -> (it, what to do with its result)
        self._members, self._refused, self._known = {}, {}, {}
        self._round, self._crashed, self._ended, self._next_look = None, 0, 0, 0.0
        self._last_seen, self._alone = time.monotonic(), False
        try:
            self._admission = Admission(dream, folder, load, here=bool(self._local))
            self._start()
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *exception):
        self.close()

    @property
    def pids(self):
        """The worker processes of this machine: a list of int."""
        return self._local.pids if self._local else []

    def close(self):
        """End the workers of this machine; those of a cluster forget the dream."""
        (self._local or self._client).close()

    def steps(self, place, scale, tiles, indices, canvas, target, base=None):
        """Step on some tiles of a phase, in any order: see `InProcess.steps`.

        `tiles` must be those of the dream's schedule.
        """
        wanted = {(place.phase, index): tiles[index] for index in indices}
        round_ = Round(place.octave, place.pass_, wanted, scale, canvas, base, target)
        with contextlib.closing(self._perform(round_)) as performing:
            for (_, index), sums, pixels in performing:
                if pixels is not None:
                    target.write(tiles[index].interior, pixels)
                yield index, sums

    def measure(self, octave, pass_, phases, places, canvas):
        """Measure some tiles of a pass, in any order: see `InProcess.measure`."""
        wanted = {(phase, index): phases[phase][index] for phase, index in places}
        round_ = Round(octave, pass_, wanted, None, canvas)
        with contextlib.closing(self._perform(round_)) as performing:
            for place, sums, _ in performing:
                yield place, sums

    def _perform(self, round_):
        """Have tiles seen to; yields (phase, index), sums and pixels."""
        if tuple(round_.canvas.shape[:2]) != tuple(self._sizes[round_.octave]):
            raise ValueError(f"the workers know another size of this octave than {round_.canvas}")
        self._round, self._last_seen = round_, time.monotonic()
        try:
            while not round_.is_done:
                self._stay_connected()
                self._hand_out(round_)
                yield from self._hear()
            self._settle(round_)
        finally:
            self._round = None
            for member in self._members.values():
                self._recall(member)

    def _settle(self, round_):
        """See that nobody writes any more to the file of a phase whose tiles are done.

        One that is late would read a canvas that is being changed by then.
        """
        deadline = time.monotonic() + GRACE

        def writers():
            return [
                member for member in self._members.values()
                if member.writes and round_.scale and any(
                    task.round is round_ for task in member.tasks
                )
            ]  # fmt: skip

        while writers() and time.monotonic() < deadline:
            self._hear()
        for member in writers():
            self._local.end(member.name)
            self._recall(self._members.pop(member.address), all_of_them=True)

    # -- who is there -----------------------------------------------------------------------------

    def _start(self):
        """Wait until the workers are ready that there are; refuse to begin with unequal ones."""
        wanted, first, begin = len(self._local.pids) if self._local else 1, None, time.monotonic()
        while True:
            self._hear()
            ready, now = self._ready(), time.monotonic()
            if len(ready) == len(self._members) and (len(ready) >= wanted or self._refused):
                break
            first = first or (now if ready else None)
            if first and not self._local and now - first > LATECOMERS:
                break
            if not self._local and not self._known:
                why = "that names its device"
                if self._crashed:
                    why = "left: they went while they loaded the dream; is dreamlib installed there"
                raise ClusterAway(f"the cluster {self._name} has no worker {why}")
            if not self._local and now - begin > PATIENCE:
                raise ClusterAway(
                    f"no worker of the cluster {self._name} began within {PATIENCE} seconds; are "
                    "they busy with something else?"
                )
        if self._refused:
            raise DreamError(
                f"the cluster {self._name} has workers that cannot share a picture:\n  "
                + "\n  ".join(self._refused.values())
            )
        if not self._local:
            seeing = sum(member.sees for member in ready)
            self._say(
                f"cluster {self._name}: {len(ready)} workers; {seeing} read the canvases where "
                f"they lie, {len(ready) - seeing} are sent pixels"
            )
        # Without bokeh there is only a page that says so.
        if importlib.util.find_spec("bokeh") and has_page(self._client):
            self._say(f"dashboard: {self._client.dashboard_link}")

    def _ready(self):
        return [member for member in self._members.values() if member.ready]

    def _look(self):
        """See which workers came and went."""
        self._next_look = time.monotonic() + (LOOK if self._round else LOOK / 5)
        if self._local:
            self._local.mend()
            if self._local.ended - self._ended >= MOST_CRASHES:
                raise DreamError(
                    f"a worker on {self._name} died {MOST_CRASHES} times in a row; the last time "
                    f"{self._local.last_words}\nTake fewer workers or smaller tiles if memory ran "
                    "out, or dream without workers"
                )
        try:
            if set(self._client.nthreads()) != set(self._known):
                self._known = devices_of(self._client)
        except OSError:  # the connection is lost: `_stay_connected` will see whether for good
            return
        for address in set(self._members) - set(self._known):
            self._lose(self._members.pop(address))
        for address in set(self._known) - set(self._members) - set(self._refused):
            member = self._members[address] = Member(address, self._known[address])
            self._admit(member, self._admission.admit(member, partial(self._submit, member)))
        if self._ready() or not self._round:
            self._last_seen, self._alone = time.monotonic(), False
        elif not self._alone:
            self._alone = True
            self._say(f"no worker is left of {self._name}; waiting for one")
        elif time.monotonic() - self._last_seen > PATIENCE:
            raise ClusterAway(
                f"{self._name} has had no worker for {PATIENCE} seconds; what is dreamt is kept: "
                "resume with --resume"
            )

    def _admit(self, member, admission, result=None):
        """Go on with making a worker ready."""
        try:
            member.pending = admission.send(result)
            self._expect(member.pending, partial(self._admit, member, admission))
        except StopIteration:
            self._crashed = 0
        except Refused as refusal:
            self._refuse(member, str(refusal))

    def _refuse(self, member, why):
        self._members.pop(member.address, None)
        self._refused[member.address] = f"{member} {why}"
        if self._round:
            self._say(f"{member} is left out: it {why}")

    def _lose(self, member):
        """Give the tiles of a worker that is gone to others."""
        if not member.ready:
            self._crashed += 1
            if self._crashed >= MOST_CRASHES and not self._ready():
                raise DreamError(
                    f"{self._crashed} workers of {self._name} died in a row while they loaded the "
                    "network; their own logs say why"
                )
        if member.tasks and member.tasks[0].round is self._round:
            self._round.crashes.update(member.tasks[0].keys)
            key, crashes = self._round.crashes.most_common(1)[0]
            if crashes >= MOST_CRASHES:
                words = f"; the last time {self._local.last_words}" if self._local else ""
                raise DreamError(
                    f"{self._round.name([key])} cost {crashes} workers in a row their lives{words}"
                    "\nTake smaller tiles or fewer workers on a machine if memory ran out"
                )
        self._recall(member, all_of_them=True)

    # -- tasks ------------------------------------------------------------------------------------

    def _submit(self, member, call, *arguments):
        """Have a worker call a function; gives the future."""
        import dask

        # Pixels and files do travel with tasks.
        with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
            return self._client.submit(call, *arguments, workers=[member.address], pure=False)

    def _expect(self, future, then):
        self._expected[future.key] = future, then
        self._news.add(future)

    def _hand_out(self, round_):
        """Give tasks to those who have none, and a second one in advance while there are many.

        The last ones are kept for the first who is free.
        """
        ready = self._ready()
        for member in ready:
            if round_.left and not member.tasks:
                self._give(member, round_, round_.next_tiles(member, len(ready)))
        for member in ready:
            if len(round_.left) >= len(ready) and len(member.tasks) == 1:
                self._give(member, round_, round_.next_tiles(member, len(ready)))
        if not round_.left:
            for member in ready:
                late = [] if member.tasks else round_.late_tiles(member, ready)
                if late:
                    self._give(member, round_, late)

    def _give(self, member, round_, keys):
        """Send a task."""
        task = Task(round_, keys)
        try:
            task.future = self._submit(
                member, perform, member.network, round_.octave, round_.pass_, keys, round_.scale,
                *round_.pixels_for(keys, member),
            )  # fmt: skip
        except CancelledError:  # the connection was lost just now
            round_.left.extendleft(keys)
            return
        if not member.tasks:
            member.since = time.monotonic()
        member.tasks.append(task)
        self._expect(task.future, partial(self._finish, member, task))

    def _finish(self, member, task, result):
        """Take in what a worker did; returns a list of (key, sums, pixels)."""
        done, seconds = result
        member.tasks.remove(task)
        member.pace, member.since = seconds / task.pixels, time.monotonic()
        if task.round is not self._round:
            return []
        news = [(key, *made) for key, made in zip(task.keys, done) if key not in task.round.done]
        task.round.done.update(task.keys)
        self._crashed, self._ended = 0, self._local.ended if self._local else 0
        if task.round.doubled:
            for other in self._members.values():
                self._recall(other)
        return news

    def _recall(self, member, all_of_them=False):
        """Take back from a worker what nobody waits for; and if it is gone, everything.

        What is under way cannot be: the worker is busy until it answers.
        """
        for task in list(member.tasks)[0 if all_of_them else 1 :]:
            if all_of_them or task.round is not self._round or not task.round.open(task.keys):
                self._forget(task.future)
                self._take_back(member, task)
        if all_of_them:
            self._forget(member.pending)

    def _forget(self, future):
        if self._expected.pop(future.key, None):
            future.cancel()

    def _take_back(self, member, task):
        """Take a task from a worker; what nobody else holds of it is left to be given."""
        member.tasks.remove(task)
        if task.round is self._round:
            held = {
                key for one in self._members.values() for mine in one.tasks for key in mine.keys
                if mine.round is task.round
            }  # fmt: skip
            task.round.left.extendleft(set(task.round.open(task.keys)) - held)

    def _hear(self):
        """Wait for news: a list of (key, sums, pixels) of the tiles that are done."""
        with self._news.thread_condition:
            if not self._news.has_ready():
                wait = self._next_look - time.monotonic()
                self._news.thread_condition.wait(max(0, wait))
        found = []
        for future, result in self._news.next_batch(block=False):
            _, then = self._expected.pop(future.key, (None, None))
            if then and future.status == "error":
                self._fail(then, *result)
            elif then and future.status == "finished":
                found += then(result) or []
            elif then:  # what the worker made is lost; it is welcome to begin anew
                self._dismiss(then.args[0])
        if time.monotonic() > self._next_look:
            self._look()
        return found

    def _stay_connected(self):
        """Connect anew if the connection was lost, and begin anew with all workers.

        Dask's client does connect again by itself. But a scheduler that takes time to end the old
        connection forgets the new one with it, which has the same name, and tells it of nothing.
        """
        members = list(self._members.values())
        states = [member.network.status if member.network else None for member in members]
        away = self._client.status != "running" or "cancelled" in states
        for member, state in zip(members, states):
            if away or state == "lost":  # it was restarted, and has forgotten all
                self._dismiss(member)
        if not away:
            return
        self._client.close()
        try:
            self._client = self._connect()
        except ClusterAway as error:
            raise ClusterAway(
                f"the cluster {self._name} is gone: its scheduler does not answer any more. What "
                "is dreamt is kept: resume with --resume, on this cluster or another"
            ) from error

    def _dismiss(self, member):
        """Know a worker no more; if it is still there it is found at the next look."""
        if self._members.get(member.address) is member:
            del self._members[member.address]
            self._recall(member, all_of_them=True)

    def _fail(self, then, kind, error, trace):
        """Raise what a worker could not do; a worker that comes late is only left out."""
        member, task = then.args
        words = "".join(traceback.format_exception(kind, error, trace))
        if not isinstance(task, Task):
            if not self._local:
                self._refuse(member, f"could not load the dream: {error}")
                return
            what = "a worker could not load its network"
        elif task.round is not self._round:
            member.tasks.remove(task)
            return
        else:
            what = f"{task.round.name(task.keys)} failed"
        if isinstance(error, DreamError):
            raise DreamError(str(error))
        raise WorkerError(f"{what}, on {member.device}:\n\n{words}") from error
