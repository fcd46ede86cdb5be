"""What programs of 2014-17 did with pycaffe, each written anew: on ours and on real Caffe.

Each program reads the net and the picture of its folder and writes ``out.npz``. ``make compat``.
"""

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from tests.nets import picture, write_random_net
from tests.real_caffe import root

HERE = Path(__file__).parent

#: program -> how far the engines may be apart, as a part of the norm; or in grey levels (films)
PROGRAMS = {
    "classification": 1e-4,
    "net_surgery": 1e-4,
    "deconvolution": 1e-3,
    "activation_maximisation": 1e-3,
    "guided_dream": 1e-3,
    "video_loop": 5e-3,
    "style": 1e-2,
    "drawing_nets": 1e-4,
    "hdf5_round_trip": 1e-4,
    "converter": 1e-4,
}

#: programs that real Caffe alone can run on this machine
ALONE = () if importlib.util.find_spec("h5py") else ("hdf5_round_trip",)

START = "import runpy, sys, dreamlib.pycaffe as c; c.install(); sys.argv = sys.argv[1:]; "
START += "runpy.run_path(sys.argv[0], run_name='__main__')"


def prepare(folder):
    write_random_net(folder)
    np.save(folder / "picture.npy", picture(76, 90) / 255)


def run_ours(name, folder):
    """Run a program with ``import caffe`` finding ours; return what it printed."""
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path}
    ended = subprocess.run(
        [sys.executable, "-c", START, str(HERE / f"{name}.py")],
        capture_output=True,
        text=True,
        cwd=folder,
        env=environment,
        timeout=300,
        check=False,
    )
    assert not ended.returncode, ended.stderr[-3000:]
    return ended.stdout


@pytest.fixture(scope="module")
def ours(tmp_path_factory):
    """Runs a program once; returns its folder and what it printed."""
    done = {}

    def get(name):
        if name not in done:
            if name in ALONE:
                pytest.skip("h5py is not there: ours says so (test_hdf5.py), real Caffe needs none")
            folder = tmp_path_factory.mktemp(name)
            prepare(folder)
            done[name] = folder, run_ours(name, folder)
        return done[name]

    return get


@pytest.mark.parametrize("name", PROGRAMS)
def test_the_program_runs_to_its_end(ours, name):
    folder, _ = ours(name)
    with np.load(folder / "out.npz") as found:
        for what in found.files:
            assert np.isfinite(found[what]).all(), what
            assert np.std(found[what]) > 0 or found[what].ndim == 0, what


@pytest.mark.real_caffe
@pytest.mark.parametrize("name", PROGRAMS)
def test_real_caffe_finds_the_same(ours, tmp_path, name):
    try:
        root.find()
    except root.Unavailable as reason:
        pytest.skip(str(reason))
    prepare(tmp_path)
    theirs = root.ask([f"{{project}}/tests/compat/{name}.py"], tmp_path)
    if name in ALONE:
        return
    folder, said = ours(name)
    with np.load(folder / "out.npz") as a, np.load(tmp_path / "out.npz") as b:
        assert sorted(a.files) == sorted(b.files)
        for what in a.files:
            assert a[what].shape == b[what].shape, what
            error = np.linalg.norm(np.float64(a[what]) - np.float64(b[what]))
            assert error <= PROGRAMS[name] * np.linalg.norm(np.float64(b[what])), what
    if name == "drawing_nets":
        assert (folder / "net.raw").read_text().startswith('digraph "Net" {')
    else:
        assert said.splitlines() == theirs.splitlines()


def test_there_are_ten():
    programs = {path.stem for path in HERE.glob("*.py")} - {"__init__", "test_compat"}
    assert programs == set(PROGRAMS)
    assert len(programs) == 10
