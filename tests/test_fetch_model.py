"""scripts/fetch_model.sh on models without a checksum and in archives; scripts/check_weights.py."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.nets import INCEPTION, write_random_net
from tests.webserver import only_programs, serving

REPOSITORY = Path(__file__).parent.parent
SCRIPTS = REPOSITORY / "scripts"
WEIGHTS = b"good weights " * 1000
PACKED = "small/small.caffemodel"
# Stands for the Python that runs check_weights.py, and answers as that does, but at once.
JUDGE = """#!/bin/sh
[ $# -eq 3 ] || exit 0
[ "$(sha1sum <"$3" | cut -d' ' -f1)" = "%s" ] && exit 0
echo "$3: layer conv1 is missing"
exit 2
"""


WITHOUT_PARAMETERS = """
layer { name: "data" type: "Input" top: "data" input_param { shape { dim: 1 dim: 3 } } }
layer { name: "half" type: "Power" bottom: "data" top: "half" power_param { scale: 0.5 } }
"""


def sha1(content):
    return hashlib.sha1(content).hexdigest()


def archive(name=PACKED, content=WEIGHTS):
    """A .tar.gz with a prototxt and weights."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, data in (("small/deploy.protxt", b"layer {}"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


@pytest.fixture
def server():
    good = dict.fromkeys(["/good", "/plain", "/cut"], WEIGHTS)
    with serving({**good, "/wrong": WEIGHTS[::-1]}) as server:
        for path in ("/good.tar.gz", "/cut.tar.gz"):
            server.files[path] = archive()
        yield server


@pytest.fixture(params=["curl", "wget"])
def fetch(request, server, tmp_path):
    """Fetch the model `small` of a repository of its own; `published` is in its model.toml."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    needed = "sh cat cut dirname gzip mkdir mv rm sed sha1sum tar tr wc".split()
    programs = only_programs(tmp_path / "bin", [*needed, request.param])
    judge = programs / "judge"
    judge.write_text(JUDGE % sha1(WEIGHTS))
    judge.chmod(0o755)
    repository = tmp_path / "a repository"
    folder = repository / "models" / "small"
    folder.mkdir(parents=True)
    shutil.copytree(SCRIPTS, repository / "scripts")
    (folder / "deploy.prototxt").write_text(INCEPTION)

    def run(path, published="", name="small", **variables):
        toml = f'weights = "small.caffemodel"\nsource = "{server.address}{path}"\n'
        toml += published and f'sha1 = "{published}"  # of what is fetched\n'
        (folder / "model.toml").write_text(toml + 'fetch = "scripts/fetch_model.sh small"\n')
        return subprocess.run(
            [shutil.which("sh"), str(repository / "scripts" / "fetch_model.sh"), name],
            env={"PATH": str(programs), "DREAM_PYTHON": "judge", **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run.folder, run.file = folder, folder / "small.caffemodel"
    return run


def left(fetch):
    """The files that are not the model's own."""
    return sorted(f.name for f in fetch.folder.iterdir() if f.suffix not in (".toml", ".prototxt"))


def test_weights_without_a_checksum_are_judged_by_loading_them(fetch):
    done = fetch("/good")
    assert done.returncode == 0, done.stderr
    assert left(fetch) == ["small.caffemodel"]
    assert fetch.file.read_bytes() == WEIGHTS
    assert "every layer" in done.stdout


def test_where_no_checksum_is_published_that_is_said_and_the_files_own_shown(fetch):
    said = fetch("/good").stdout
    assert "No checksum is published" in said
    assert sha1(WEIGHTS) in said


def test_weights_that_do_not_fit_are_refused_and_removed(fetch):
    done = fetch("/wrong")
    assert done.returncode == 2
    assert "layer conv1 is missing" in done.stderr
    assert left(fetch) == []


def test_a_cut_download_without_a_checksum_goes_on(fetch, server):
    assert fetch("/cut").returncode == 2
    done = fetch("/good")
    assert done.returncode == 0, done.stderr
    assert server.asked[-1] == ("/good", f"bytes={len(WEIGHTS) // 2}-")
    assert fetch.file.read_bytes() == WEIGHTS


def test_a_complete_part_without_a_checksum_needs_no_download(fetch, server):
    (fetch.folder / "small.caffemodel.part").write_bytes(WEIGHTS)
    assert fetch("/good").returncode == 0
    assert (left(fetch), server.asked) == (["small.caffemodel"], [])


def test_weights_that_are_there_and_fit_are_not_fetched_again(fetch, server):
    fetch.file.write_bytes(WEIGHTS)
    done = fetch("/good")
    assert done.returncode == 0
    assert "already" in done.stdout
    assert server.asked == []


def test_without_the_means_to_load_weights_nothing_is_fetched(fetch, server):
    done = fetch("/good", DREAM_PYTHON="nobody")
    assert done.returncode == 2
    assert "make setup" in done.stderr
    assert server.asked == []


def test_a_published_checksum_of_weights_is_enough(fetch):
    done = fetch("/good", published=sha1(WEIGHTS), DREAM_PYTHON="nobody")
    assert done.returncode == 0, done.stderr
    assert "checksum right" in done.stdout


def test_weights_are_taken_out_of_their_archive(fetch, server):
    done = fetch("/good.tar.gz", published=sha1(server.files["/good.tar.gz"]))
    assert done.returncode == 0, done.stderr
    assert left(fetch) == ["small.caffemodel"]
    assert fetch.file.read_bytes() == WEIGHTS


def test_a_cut_archive_goes_on(fetch, server):
    packed = server.files["/cut.tar.gz"]
    assert fetch("/cut.tar.gz", published=sha1(packed)).returncode == 2
    assert left(fetch) == ["small.caffemodel.tar.gz.part"]
    done = fetch("/good.tar.gz", published=sha1(server.files["/good.tar.gz"]))
    assert done.returncode == 0, done.stderr
    assert server.asked[-1][1] == f"bytes={len(packed) // 2}-"


def test_an_archive_with_another_checksum_is_refused_and_removed(fetch):
    done = fetch("/good.tar.gz", published="0" * 40)
    assert done.returncode == 2
    assert "expected SHA-1" in done.stderr
    assert left(fetch) == []


@pytest.mark.parametrize(
    ("packed", "says"),
    [
        (archive(content=b"something else"), "layer conv1 is missing"),
        (archive(name="small/other.caffemodel"), "no small.caffemodel in it"),
    ],
)
def test_an_archive_without_the_weights_is_refused_and_removed(fetch, server, packed, says):
    server.files["/other.tar.gz"] = packed
    done = fetch("/other.tar.gz", published=sha1(packed))
    assert done.returncode == 2
    assert says in done.stderr
    assert left(fetch) == []


def test_a_mirror_may_hold_the_weights_of_an_archive_as_they_are(fetch, server):
    done = fetch("/x.tar.gz", published="0" * 40, DREAM_MODEL_URL=server.address + "/good")
    assert done.returncode == 0, done.stderr
    assert fetch.file.read_bytes() == WEIGHTS


def test_an_unknown_name_lists_the_models_that_can_be_fetched(fetch):
    done = fetch("/good", name="smal")
    assert done.returncode == 2
    assert "no model 'smal'" in done.stderr
    assert "there are: small" in done.stderr


def test_help_names_every_model_that_can_be_fetched():
    command = [str(SCRIPTS / "fetch_model.sh"), "--help"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    fetched = [
        toml.parent.name
        for toml in sorted(REPOSITORY.glob("models/*/model.toml"))
        if 'fetch = "scripts/fetch_' in toml.read_text()
    ]
    assert done.stdout.splitlines()[-1] == f"NAME is one of: {' '.join(fetched)} "


# check_weights.py


def check(*arguments):
    command = [sys.executable, str(SCRIPTS / "check_weights.py"), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def test_weights_of_the_network_fit(tmp_path):
    done = check(*write_random_net(tmp_path))
    assert done.returncode == 0, done.stderr


@pytest.fixture
def fault(monkeypatch):
    monkeypatch.syspath_prepend(str(SCRIPTS))
    import check_weights

    return check_weights.fault


def test_a_layer_that_is_missing_is_named(tmp_path, fault):
    prototxt, weights = write_random_net(tmp_path)
    Path(prototxt).write_text(INCEPTION.replace("mixed/3x3", "mixed/9x9"))
    assert "mixed/9x9" in fault(prototxt, weights)


def test_a_layer_of_another_shape_is_named(tmp_path, fault):
    prototxt, weights = write_random_net(tmp_path)
    Path(prototxt).write_text(INCEPTION.replace("num_output: 10 ", "num_output: 11 "))
    assert "'classifier' has shape (10," in fault(prototxt, weights)


def test_weights_cut_short_do_not_fit(tmp_path, fault):
    prototxt, weights = write_random_net(tmp_path)
    os.truncate(weights, os.path.getsize(weights) - 1)
    assert "truncated" in fault(prototxt, weights)


def test_every_layer_of_the_network_is_asked_for(tmp_path, fault):
    prototxt, weights = write_random_net(tmp_path, WITHOUT_PARAMETERS)
    Path(prototxt).write_text(INCEPTION)
    assert "4 layers are missing: conv1, " in fault(prototxt, weights)
