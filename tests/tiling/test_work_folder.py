"""A killed dream, resumed, is the dream that was not killed: to the bit."""

import contextlib
import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dreamlib.errors import DreamError
from dreamlib.imaging.picture import Window
from dreamlib.tiling import octave_loop as loop_module
from dreamlib.tiling.canvas import Canvas, InMemory
from dreamlib.tiling.gradient_scale import GradientScale, RunningDeviations, RunningMean
from dreamlib.tiling.octave_loop import State
from dreamlib.tiling.work_folder import JOURNAL, WorkFolder, fingerprint
from tests import dreams
from tests.faults.disk import Disk

schedules = pytest.mark.parametrize("schedule", dreams.SCHEDULES)
IMAGE = dreams.picture(26, 30)
BLACK = np.zeros((8, 8, 3), np.uint8)

#: Seconds between records within a phase: none but at phases' ends, and after every tile.
RARE, ALWAYS = 10**9, -1


class Killed(BaseException):
    """What ends a process, so no handler of errors may take it."""


class Calls:
    """Counts the calls that change files; the process dies in one of them.

    Parameters
    ----------
    die_at : int, optional
        The call, from 1 on. After it nothing is changed any more.
    share : float
        How much of the bytes a write puts down before it dies.
    error : callable
        Makes what is raised.
    only : str, optional
        Count no other kind of call.
    """

    NAMES = ("pwrite", "replace", "fsync", "ftruncate")

    def __init__(self, die_at=None, share=0.0, error=Killed, only=None):
        self.count, self.die_at, self.share, self.error = 0, die_at, share, error
        self.only = only

    @contextlib.contextmanager
    def watched(self):
        with contextlib.ExitStack() as stack:
            for name in self.NAMES:
                real = (lambda handle: None) if name == "fsync" else getattr(os, name)
                stack.enter_context(mock.patch.object(os, name, self._wrap(name, real)))
            unlink = self._wrap("unlink", Path.unlink)
            stack.enter_context(
                mock.patch.object(Path, "unlink", lambda path, **kw: unlink(path, **kw))
            )
            yield self

    def _wrap(self, name, real):
        def call(*args, **kwargs):
            self.before()
            self.count += self.only in (None, name)
            if self.die_at is not None and self.count >= self.die_at:
                if name == "pwrite" and self.count == self.die_at:
                    handle, data, offset = args
                    real(handle, data[: int(len(data) * self.share)], offset)
                raise self.error()
            result = real(*args, **kwargs)
            self.after(name, args)
            return result

        return call

    def before(self):
        """What happens before each call."""

    def after(self, name, args):
        """What happens after each call."""


class PowerCut(Calls):
    """The same on a disk that loses its power."""

    def __init__(self, folder, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._disk = Disk(folder)
        self.lose_power = self._disk.lose_power

    def before(self):
        self._disk.note()

    def after(self, name, args):
        if name == "fsync":
            self._disk.synced(args[0])


def dream(folder, schedule, **options):
    """Dream in a folder: resume where there is something to resume."""
    resume = (folder / JOURNAL).exists()
    return dreams.in_folder(folder, dreams.options(schedule), IMAGE, resume, **options)


@contextlib.contextmanager
def recording(seconds):
    with mock.patch.object(loop_module, "CHECKPOINT", seconds):
        yield


_uninterrupted = {}


def uninterrupted(schedule, seconds):
    """The dream that nothing happens to, and how many calls it makes."""
    if (schedule, seconds) not in _uninterrupted:
        with tempfile.TemporaryDirectory() as folder, recording(seconds):
            with Calls().watched() as calls:
                pixels = dream(Path(folder), schedule)
            _uninterrupted[schedule, seconds] = pixels, calls.count
    return _uninterrupted[schedule, seconds]


deaths = st.lists(st.tuples(st.floats(0, 1), st.sampled_from([0, 0.4, 1])), min_size=1, max_size=3)
seconds_between = st.sampled_from([RARE, ALWAYS])


@schedules
def test_a_work_folder_gives_the_picture_that_memory_gives(schedule, tmp_path):
    expected = dreams.in_memory(dreams.options(schedule), IMAGE)
    assert np.array_equal(uninterrupted(schedule, RARE)[0], expected)
    assert np.abs(expected.astype(int) - IMAGE).mean() > 5


# -- deaths of the process ------------------------------------------------------------------------


@schedules
@given(when=deaths, seconds=seconds_between)
@settings(max_examples=15)
def test_a_dream_killed_at_any_moment_is_resumed_to_the_same_bits(schedule, when, seconds):
    expected, count = uninterrupted(schedule, seconds)
    with tempfile.TemporaryDirectory() as folder, recording(seconds):
        for share_of_run, share_of_write in when:
            calls = Calls(1 + int(share_of_run * (count - 1)), share_of_write)
            with calls.watched(), contextlib.suppress(Killed):
                dream(Path(folder), schedule)
        with Calls().watched():
            assert np.array_equal(dream(Path(folder), schedule), expected)


@pytest.mark.parametrize("schedule", ["shift", "spiral"])
def test_a_dream_killed_again_and_again_comes_to_its_end(schedule, tmp_path):
    expected, count = uninterrupted(schedule, ALWAYS)
    result, runs = None, 0
    with recording(ALWAYS):
        while result is None:
            with Calls(count // 9).watched(), contextlib.suppress(Killed):
                result = dream(tmp_path, schedule)
            runs += 1
    assert runs > 5
    assert np.array_equal(result, expected)


@schedules
@given(
    when=st.lists(st.floats(0, 1), min_size=1, max_size=2),
    seconds=seconds_between,
    seed=st.integers(0, 999),
)
@settings(max_examples=15)
def test_a_dream_cut_off_from_power_is_resumed_to_the_same_bits(schedule, when, seconds, seed):
    expected, count = uninterrupted(schedule, seconds)
    with tempfile.TemporaryDirectory() as name, recording(seconds):
        folder = Path(name)
        for number, share in enumerate(when):
            disk = PowerCut(folder, 1 + int(share * (count - 1)), share=0.5)
            with disk.watched(), contextlib.suppress(Killed):
                dream(folder, schedule)
            disk.lose_power(seed + number)
        with Calls().watched():
            assert np.array_equal(dream(folder, schedule), expected)


def test_power_may_be_lost_around_every_sync_of_a_short_dream(tmp_path):
    image, brief = IMAGE[:14, :16], dreams.options("shift", iterations=1, octaves=1)
    options = {"how": brief, "image": image}
    expected = dreams.in_memory(brief, image)
    with Calls(only="fsync").watched() as calls:
        dreams.in_folder(tmp_path / "whole", **options)
    for number in range(1, calls.count + 1):
        for certain in (None, JOURNAL):
            folder = tmp_path / f"{number}-{certain}"
            folder.mkdir()
            disk = PowerCut(folder, number, only="fsync")
            with disk.watched(), contextlib.suppress(Killed):
                dreams.in_folder(folder, **options)
            disk.lose_power(number, certain)
            with Calls().watched():
                resume = (folder / JOURNAL).exists()
                assert np.array_equal(dreams.in_folder(folder, resume=resume, **options), expected)


@pytest.mark.parametrize("seconds", [0.1, 0.4, 0.8])
def test_a_process_that_is_killed_leaves_what_another_resumes(seconds, tmp_path):
    folder, root = tmp_path / "work", Path(__file__).parents[2]
    command = [sys.executable, "-m", "tests.dreams", str(folder), "shift"]
    first = subprocess.Popen([*command, "new"], cwd=root)
    while not (folder / JOURNAL).exists():
        assert first.poll() is None
        time.sleep(0.01)
    time.sleep(seconds)
    first.send_signal(signal.SIGKILL)
    assert first.wait() == -signal.SIGKILL
    assert json.loads((folder / JOURNAL).read_text())["version"] == 5
    assert np.array_equal(dream(folder, "shift"), uninterrupted("shift", RARE)[0])


# -- a full disk ----------------------------------------------------------------------------------


def no_space():
    return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


@pytest.mark.parametrize("call", ["pwrite", "fsync", "replace"])
@given(share=st.floats(0, 1))
@settings(max_examples=6)
def test_a_full_disk_is_an_error_that_says_how_to_go_on(call, share):
    expected, _ = uninterrupted("shift", RARE)
    with tempfile.TemporaryDirectory() as folder:
        with tempfile.TemporaryDirectory() as other, Calls(only=call).watched() as calls:
            dream(Path(other), "shift")
        full = Calls(1 + int(share * (calls.count - 1)), 0.5, no_space, only=call)
        with full.watched(), pytest.raises(DreamError, match=r"No space left.*--resume"):
            dream(Path(folder), "shift")
        with Calls().watched():
            assert np.array_equal(dream(Path(folder), "shift"), expected)


def test_a_dream_for_which_there_is_no_room_is_not_begun(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=2 * 10**9))
    store = WorkFolder(tmp_path / "work")
    with pytest.raises(DreamError, match=r"needs 3\.00 GB.*2\.00 GB are free.*--work-dir"):
        store.begin({}, np.uint8, "none", need=3 * 10**9)
    assert list(tmp_path.iterdir()) == []


def test_a_resumed_dream_needs_no_more_room(tmp_path, monkeypatch):
    store = WorkFolder(tmp_path)
    store.begin({"a": 1}, np.uint8, "none", need=1)
    store.close()
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=0))
    store = WorkFolder(tmp_path, resume=True)
    store.begin({"a": 2}, np.uint8, "none", need=3 * 10**9)
    assert store.record == {"a": 1}


# -- whose folder it is ---------------------------------------------------------------------------


def test_a_folder_where_another_process_dreams_is_refused(tmp_path):
    script = (
        "import sys, time; from dreamlib.tiling.work_folder import WorkFolder\n"
        "WorkFolder(sys.argv[1]); print('ready', flush=True); time.sleep(60)"
    )
    other = subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)],
        stdout=subprocess.PIPE,
        cwd=Path(__file__).parents[2],
    )
    try:
        assert other.stdout.readline() == b"ready\n"
        with pytest.raises(DreamError, match=r"another process is dreaming in .*--work-dir"):
            WorkFolder(tmp_path)
    finally:
        other.kill()
        other.communicate()
    WorkFolder(tmp_path).close()  # its lock died with it


def test_an_unfinished_dream_is_not_begun_anew_unasked(tmp_path):
    store = WorkFolder(tmp_path)
    store.begin({}, np.uint8, "none", need=1)
    store.close()
    with pytest.raises(DreamError, match="holds an unfinished dream: resume it with --resume"):
        WorkFolder(tmp_path)
    WorkFolder(tmp_path, resume=True).close()  # what was refused has let go of the folder


def test_where_nothing_was_begun_there_is_nothing_to_resume(tmp_path):
    with pytest.raises(DreamError, match="holds no unfinished dream to resume"):
        WorkFolder(tmp_path, resume=True)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    "text",
    [
        "",
        '{"version": 5, "rec',
        "[]",
        '"text"',
        "[" * 100_000,
        '{"version": 5}',
        '{"version": "5", "sha256": "", "record": {}}',
        '{"version": 5, "sha256": "0", "token": "t", "record": {}, "state": null}',
        "\udcff",
    ],
)
def test_a_damaged_journal_is_an_error_that_names_it(tmp_path, text):
    (tmp_path / JOURNAL).write_bytes(text.encode(errors="surrogateescape"))
    for _ in range(2):  # and the folder is not kept locked
        with pytest.raises(DreamError, match=r"journal\.json is damaged"):
            WorkFolder(tmp_path, resume=True)


def test_a_journal_of_another_version_is_refused(tmp_path):
    (tmp_path / JOURNAL).write_text('{"version": 99, "record": {}, "state": null}')
    with pytest.raises(DreamError, match="written by another version"):
        WorkFolder(tmp_path, resume=True)


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_cannot_be_made_is_an_error_that_names_it(tmp_path, resume):
    (tmp_path / "file").write_text("")
    with pytest.raises(DreamError, match="file"):
        WorkFolder(tmp_path / "file", resume)


def test_a_late_write_to_a_phases_tiles_reaches_no_other_phase_and_no_other_dream(tmp_path):
    def phase(store, number):
        return store.back_buffer((0, 0, number), (4, 4), 2)

    store = WorkFolder(tmp_path / "work")
    store.begin({}, np.uint8, "none", need=1)
    path = phase(store, 0).path
    late = Canvas(4, 4, np.uint8, "none", path, os.O_RDWR)
    tiles = phase(store, 1)
    late.write(Window(0, 0, 4, 4), np.full((4, 4, 3), 9, np.uint8))
    late.close()
    assert not tiles.array().any()
    with pytest.raises(DreamError, match="cannot be opened"):
        Canvas(4, 4, np.uint8, "none", path, os.O_RDWR)  # nor is the file made again
    store.remove()
    other = WorkFolder(tmp_path / "work")
    other.begin({}, np.uint8, "none", need=1)
    assert phase(other, 0).path != path
    other.remove()


def test_a_resumed_phase_is_out_of_reach_of_who_wrote_to_it_before(tmp_path):
    pixels = np.full((4, 4, 3), 7, np.uint8)
    store = WorkFolder(tmp_path / "work")
    store.begin({}, np.uint8, "none", need=1)
    tiles = store.back_buffer((0, 0, 0), (4, 4), 2)
    tiles.write(Window(0, 0, 4, 4), pixels)
    store.save(State(done={0: (1.0,)}), tiles, {0: Window(0, 0, 4, 4)})
    late = Canvas(4, 4, np.uint8, "none", tiles.path, os.O_RDWR)
    store.close()
    resumed = WorkFolder(tmp_path / "work", resume=True)
    resumed.begin({}, np.uint8, "none", need=1)
    late.write(Window(0, 0, 4, 4), pixels + 1)
    late.close()
    assert resumed.load_state().done == {0: (1.0,)}
    assert np.array_equal(resumed.back_buffer((0, 0, 0), (4, 4), 2).array(), pixels)
    resumed.remove()


def test_removing_takes_away_all_that_was_made_and_the_folder(tmp_path):
    folder = tmp_path / "work"
    store = WorkFolder(folder)
    store.begin({}, np.uint8, "none", need=1)
    store.new_canvas("octave-0", (8, 8))
    store.complete("octave-0")
    store.back_buffer((0, 0, 0), (8, 8), 1)
    store.new_canvas("octave-1", (9, 9))  # not completed
    store.remove()
    assert not folder.exists()


@pytest.mark.parametrize(
    "name", ["notes.txt", "photo.raw", "download.part", "octave-0.raw", "lock"]
)
def test_removing_leaves_the_files_of_others(tmp_path, name):
    (tmp_path / name).write_text("mine")
    store = WorkFolder(tmp_path)
    store.begin({}, np.uint8, "none", need=1)
    store.new_canvas("octave-0", (8, 8))
    store.complete("octave-0")
    store.remove()
    assert [path.name for path in tmp_path.iterdir()] == [name]
    assert (tmp_path / name).read_text() == "mine"


def test_a_work_folder_that_cannot_be_removed_is_left_empty(tmp_path, monkeypatch):
    """The root of a disk, for instance."""

    def busy(path, **_):
        raise OSError(errno.EBUSY, os.strerror(errno.EBUSY))

    monkeypatch.setattr(os, "rmdir", busy)
    monkeypatch.setattr(Path, "rmdir", busy)
    store = WorkFolder(tmp_path)
    store.begin({}, np.uint8, "none", need=1)
    store.remove()
    assert list(tmp_path.iterdir()) == []


def test_no_one_is_told_to_remove_a_folder_that_holds_a_journal_of_their_own(tmp_path):
    (tmp_path / JOURNAL).write_text('{"dear": "diary"}')
    with pytest.raises(DreamError, match=r"no dream's journal.*name another --work-dir"):
        WorkFolder(tmp_path)


def left_by_another_dream(folder):
    """Make a work folder with a canvas, and lose its journal."""
    store = WorkFolder(folder)
    store.begin({}, np.uint8, "none", need=1)
    canvas = store.new_canvas("octave-0", (8, 8))
    canvas.write(Window(0, 0, 8, 8), BLACK + 99)
    store.complete("octave-0")
    store.close()
    (folder / JOURNAL).unlink()


def test_what_another_dream_left_is_not_taken_for_ones_own_and_goes(tmp_path):
    left_by_another_dream(tmp_path / "work")
    store = WorkFolder(tmp_path / "work")
    store.begin({}, np.uint8, "none", need=1)
    assert not store.has("octave-0")
    assert not list((tmp_path / "work").glob("octave-0*"))


def test_a_dream_killed_at_any_moment_of_its_removal_leaves_no_dream_to_resume(tmp_path):
    def removed(folder):
        store = WorkFolder(folder)
        store.begin({}, np.uint8, "none", need=1)
        store.new_canvas("source", (8, 8))
        store.complete("source")
        store.save(State())
        store.back_buffer((0, 0, 0), (8, 8), 1)
        with calls.watched(), contextlib.suppress(Killed):
            store.remove()
        store.close()

    calls = Calls()
    removed(tmp_path / "whole")
    assert calls.count > 5
    for die_at in range(2, calls.count + 1):  # the first call renames the journal
        folder = tmp_path / str(die_at)
        calls = Calls(die_at)
        removed(folder)
        with pytest.raises(DreamError, match="no unfinished dream"):
            WorkFolder(folder, resume=True)
        anew = WorkFolder(folder)
        anew.begin({}, np.uint8, "none", need=1)
        assert sorted(os.listdir(folder)) == [JOURNAL, "lock.dream"]
        anew.remove()


@schedules
@given(where=st.integers(0, 10**6), when=st.floats(0.2, 1), seconds=seconds_between)
@settings(max_examples=10)
def test_a_byte_changed_in_any_canvas_is_refused_or_mended(schedule, where, when, seconds):
    expected, count = uninterrupted(schedule, seconds)
    with tempfile.TemporaryDirectory() as name, recording(seconds):
        folder = Path(name)
        calls = Calls(1 + int(when * (count - 1)))
        with calls.watched(), contextlib.suppress(Killed):
            dream(folder, schedule)
        canvases = sorted(folder.glob("*.dream-canvas"))
        if not canvases or not (folder / JOURNAL).exists():
            return
        harmed = canvases[where % len(canvases)]
        data = bytearray(harmed.read_bytes())
        if data:
            data[where % len(data)] ^= 0x55
        harmed.write_bytes(data)
        with Calls().watched():
            try:
                result, refusal = dream(folder, schedule), None
            except DreamError as error:
                refusal = str(error)
        assert np.array_equal(result, expected) if refusal is None else harmed.name in refusal


def test_a_folder_of_another_user_is_refused(tmp_path):
    if os.geteuid():
        pytest.skip("only root can give a folder to another user")
    (tmp_path / "work").mkdir()
    os.chown(tmp_path / "work", 54321, -1)
    with pytest.raises(DreamError, match="work belongs to user 54321"):
        WorkFolder(tmp_path / "work")


# -- the state ------------------------------------------------------------------------------------


means = st.builds(
    RunningMean, st.none() | st.floats(0), st.none() | st.floats(0), st.floats(0),
    st.integers(0, 10**12),
)  # fmt: skip


@given(
    st.builds(
        State,
        *[st.integers(0, 10**6)] * 3,
        st.dictionaries(
            st.integers(0, 10**6),
            st.lists(st.floats(0), min_size=1, max_size=4).map(tuple),
            max_size=5,
        ),
        st.booleans(),
        st.builds(GradientScale, means, st.builds(RunningDeviations, st.lists(means, max_size=3))),
    )
)
def test_a_state_is_loaded_as_it_was_saved(state):
    with tempfile.TemporaryDirectory() as folder:
        store = WorkFolder(folder)
        store.begin({}, np.uint8, "none", need=1)
        with Calls().watched():
            store.save(state)
        store.close()
        resumed = WorkFolder(folder, resume=True)
        assert resumed.load_state() == state
        resumed.close()


def test_a_fresh_folder_has_no_state(tmp_path):
    store = WorkFolder(tmp_path)
    store.begin({}, np.uint8, "none", need=1)
    assert store.load_state() is None


def test_a_canvas_counts_once_it_is_complete(tmp_path):
    store = WorkFolder(tmp_path)
    store.begin({}, np.uint8, "none", need=1)
    canvas = store.new_canvas("octave-0", (8, 8))
    canvas.write(Window(0, 0, 8, 8), BLACK + 7)
    assert not store.has("octave-0")
    store.complete("octave-0")
    assert store.has("octave-0")
    assert (store.canvas("octave-0", (8, 8)).rows(0, 8) == 7).all()


@pytest.mark.parametrize("kind", ["memory", "folder"])
def test_a_canvas_that_is_dropped_is_gone(kind, tmp_path):
    store = InMemory(np.uint8, "none") if kind == "memory" else WorkFolder(tmp_path)
    if kind == "folder":
        store.begin({}, np.uint8, "none", need=1)
    store.new_canvas("octave-0", (8, 8))
    store.complete("octave-0")
    assert store.has("octave-0")
    for _ in range(2):  # the second time there is nothing
        store.drop("octave-0")
        assert not store.has("octave-0")


def test_a_fingerprint_is_size_and_digest(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    digest = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert fingerprint(tmp_path / "file") == {"bytes": 3, "sha256": digest}
