"""scripts/fetch_model.sh against a web server on this machine."""

from __future__ import annotations

import hashlib
import io
import os
import shutil
import socket
import subprocess
import tarfile
from pathlib import Path

import pytest

from tests.nets import INCEPTION
from tests.webserver import only_programs, serving

REPOSITORY = Path(__file__).parent.parent
SCRIPTS = REPOSITORY / "scripts"
WEIGHTS = bytes(range(256)) * 1024
SHA1 = hashlib.sha1(WEIGHTS).hexdigest()
PROGRAMS = "sh cat cut dirname gzip mkdir mv rm sed sha1sum tar tr wc".split()
# Stands for the Python that runs check_weights.py, and answers as that does, but at once.
JUDGE = f"""#!/bin/sh
[ $# -eq 3 ] || exit 0
[ "$(sha1sum <"$3" | cut -d' ' -f1)" = "{SHA1}" ] && exit 0
echo "$3: layer conv1 is missing"
exit 2
"""


def archive(name="small/small.caffemodel", content=WEIGHTS):
    """A .tar.gz with a prototxt and weights."""
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        for member, data in (("small/deploy.protxt", b"layer {}"), (name, content)):
            info = tarfile.TarInfo(member)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return packed.getvalue()


PACKED = archive()
PACKED_SHA1 = hashlib.sha1(PACKED).hexdigest()


@pytest.fixture
def server():
    files = dict.fromkeys(["/good", "/plain", "/cut"], WEIGHTS)
    files.update(dict.fromkeys(["/good.tar.gz", "/cut.tar.gz"], PACKED))
    with serving({**files, "/wrong": WEIGHTS[::-1]}) as server:
        yield server


@pytest.fixture(params=["curl", "wget"])
def fetch(request, server, tmp_path):
    """Fetch the model `small` of a repository of its own; `published` is in its model.toml."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    programs = only_programs(tmp_path / "bin", [*PROGRAMS, request.param])
    judge = programs / "judge"
    judge.write_text(JUDGE)
    judge.chmod(0o755)
    repository = tmp_path / "a repository"
    folder = repository / "models" / "small"
    folder.mkdir(parents=True)
    shutil.copytree(SCRIPTS, repository / "scripts")
    (folder / "deploy.prototxt").write_text(INCEPTION)

    def run(path, published=SHA1, *arguments, name="small", url=None, **variables):
        toml = f'weights = "small.caffemodel"\nsource = "{url or server.address + path}"\n'
        toml += published and f'sha1 = "{published}"  # of the download\n'
        (folder / "model.toml").write_text(toml + 'fetch = "scripts/fetch_model.sh small"\n')
        return subprocess.run(
            [shutil.which("sh"), str(repository / "scripts/fetch_model.sh"), name, *arguments],
            env={"PATH": str(programs), "DREAM_PYTHON": "judge", **variables},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run.folder, run.file = folder, folder / "small.caffemodel"
    run.part = folder / "small.caffemodel.part"
    return run


def left(fetch):
    """The files that are not the model's own."""
    return sorted(f.name for f in fetch.folder.iterdir() if f.suffix not in (".toml", ".prototxt"))


def assert_fetched(fetch, done):
    assert done.returncode == 0, done.stderr
    assert left(fetch) == ["small.caffemodel"]
    assert fetch.file.read_bytes() == WEIGHTS


# With a checksum


def test_a_good_file_is_moved_into_place(fetch):
    done = fetch("/good", DREAM_PYTHON="nobody")
    assert_fetched(fetch, done)
    assert "checksum right" in done.stdout


def test_a_corrupt_file_is_refused_and_removed(fetch):
    done = fetch("/wrong")
    assert done.returncode == 2
    assert SHA1 in done.stderr
    assert hashlib.sha1(WEIGHTS[::-1]).hexdigest() in done.stderr
    assert left(fetch) == []


def test_a_cut_download_is_kept(fetch):
    done = fetch("/cut")
    assert done.returncode == 2
    assert "cut" in done.stderr
    assert "Run this again" in done.stderr
    assert fetch.part.read_bytes() == WEIGHTS[: len(WEIGHTS) // 2]
    assert not fetch.file.exists()


@pytest.mark.parametrize("published", [SHA1, ""])
def test_a_cut_download_is_resumed(fetch, server, published):
    assert fetch("/cut", published).returncode == 2
    assert_fetched(fetch, fetch("/good", published))
    assert server.asked[-1] == ("/good", f"bytes={len(WEIGHTS) // 2}-")


def test_a_server_without_ranges_starts_over(fetch):
    fetch.part.write_bytes(WEIGHTS[:1000])
    assert_fetched(fetch, fetch("/plain"))


def test_a_resumed_download_that_is_corrupt_is_removed(fetch):
    fetch.part.write_bytes(b"x" * 1000)
    done = fetch("/good")
    assert done.returncode == 2
    assert not fetch.part.exists()
    assert fetch("/good").returncode == 0


@pytest.mark.parametrize("published", [SHA1, ""])
def test_a_complete_part_needs_no_download(fetch, server, published):
    fetch.part.write_bytes(WEIGHTS)
    assert_fetched(fetch, fetch("/good", published))
    assert server.asked == []


def test_an_overlong_part_does_not_block_the_download(fetch):
    fetch.part.write_bytes(WEIGHTS + b"more")
    fetch("/good")  # curl starts over; wget takes the part for complete and the checksum removes it
    assert_fetched(fetch, fetch("/good"))


@pytest.mark.parametrize("path", ["/elsewhere", "/elsewhere/416"])
def test_a_missing_file_says_status_and_mirror(fetch, path):
    done = fetch(path)
    assert done.returncode == 2
    assert "404" in done.stderr
    assert "DREAM_MODEL_URL" in done.stderr
    assert not fetch.part.exists()


def test_a_missing_file_keeps_an_earlier_part(fetch):
    fetch.part.write_bytes(WEIGHTS[:1000])
    assert fetch("/elsewhere").returncode == 2
    assert fetch.part.read_bytes() == WEIGHTS[:1000]


def test_an_unreachable_host_is_named(fetch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        done = fetch("", url=url)
    assert done.returncode == 2
    assert f"cannot reach {url}" in done.stderr
    assert "DREAM_MODEL_URL" in done.stderr


@pytest.mark.parametrize("published", [SHA1, ""])
def test_a_file_that_is_there_and_right_is_not_fetched_again(fetch, server, published):
    fetch.file.write_bytes(WEIGHTS)
    done = fetch("/good", published)
    assert done.returncode == 0
    assert "already" in done.stdout
    assert server.asked == []


def test_a_file_with_another_checksum_is_replaced(fetch):
    fetch.file.write_bytes(b"not it")
    assert_fetched(fetch, fetch("/good"))


@pytest.mark.parametrize("sha1", ["abc", "z" * 40, SHA1 + "0"])
def test_a_malformed_checksum_is_refused_before_anything_runs(fetch, server, sha1):
    done = fetch("/good", DREAM_MODEL_SHA1=sha1)
    assert done.returncode == 2
    assert "DREAM_MODEL_SHA1" in done.stderr
    assert server.asked == []


def test_a_checksum_may_be_in_capitals(fetch):
    assert fetch("/good", "0" * 40, DREAM_MODEL_SHA1=SHA1.upper()).returncode == 0


def test_weights_go_into_a_folder_that_is_named(fetch, tmp_path):
    assert fetch("/good", SHA1, str(tmp_path / "a folder")).returncode == 0
    assert (tmp_path / "a folder" / "small.caffemodel").read_bytes() == WEIGHTS


def test_a_folder_that_cannot_be_made_is_named(fetch, tmp_path):
    (tmp_path / "file").write_text("")
    done = fetch("/good", SHA1, str(tmp_path / "file" / "folder"))
    assert done.returncode == 2
    assert str(tmp_path / "file" / "folder") in done.stderr


# Without a checksum


def test_weights_without_a_checksum_are_judged_by_loading_them(fetch):
    done = fetch("/good", "")
    assert_fetched(fetch, done)
    assert "every layer" in done.stdout
    assert "No checksum is published" in done.stdout
    assert SHA1 in done.stdout


def test_weights_that_do_not_fit_are_refused_and_removed(fetch):
    done = fetch("/wrong", "")
    assert done.returncode == 2
    assert "layer conv1 is missing" in done.stderr
    assert left(fetch) == []


def test_without_the_means_to_load_weights_nothing_is_fetched(fetch, server):
    done = fetch("/good", "", DREAM_PYTHON="nobody")
    assert done.returncode == 2
    assert "make setup" in done.stderr
    assert server.asked == []


# In archives


def test_weights_are_taken_out_of_their_archive(fetch):
    assert_fetched(fetch, fetch("/good.tar.gz", PACKED_SHA1))


def test_a_cut_archive_is_resumed(fetch, server):
    assert fetch("/cut.tar.gz", PACKED_SHA1).returncode == 2
    assert left(fetch) == ["small.caffemodel.tar.gz.part"]
    assert_fetched(fetch, fetch("/good.tar.gz", PACKED_SHA1))
    assert server.asked[-1][1] == f"bytes={len(PACKED) // 2}-"


def test_an_archive_with_another_checksum_is_refused_and_removed(fetch):
    done = fetch("/good.tar.gz", "0" * 40)
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
    done = fetch("/other.tar.gz", hashlib.sha1(packed).hexdigest())
    assert done.returncode == 2
    assert says in done.stderr
    assert left(fetch) == []


def test_a_mirror_may_hold_the_weights_of_an_archive_as_they_are(fetch, server):
    done = fetch("/x.tar.gz", "0" * 40, DREAM_MODEL_URL=server.address + "/good")
    assert_fetched(fetch, done)


# Names, help, programs


def test_an_unknown_name_lists_the_models_that_can_be_fetched(fetch):
    done = fetch("/good", name="smal")
    assert done.returncode == 2
    assert "no model 'smal'" in done.stderr
    assert "there are: small" in done.stderr


@pytest.mark.parametrize("script", ["fetch_model.sh", "fetch_bvlc_googlenet.sh"])
def test_help_says_the_variables_and_every_model_that_can_be_fetched(script):
    done = subprocess.run(
        [str(SCRIPTS / script), "--help"], capture_output=True, text=True, check=True
    )
    fetched = [
        toml.parent.name
        for toml in sorted(REPOSITORY.glob("models/*/model.toml"))
        if 'fetch = "scripts/fetch_' in toml.read_text()
    ]
    assert done.stdout.splitlines()[-1] == f"NAME is one of: {' '.join(fetched)} "
    assert "DREAM_MODEL_URL" in done.stdout
    assert "DREAM_MODEL_SHA1" in done.stdout
    assert os.access(SCRIPTS / script, os.X_OK)


def test_without_curl_and_wget_the_message_says_what_to_install(tmp_path):
    programs = only_programs(tmp_path / "bin", PROGRAMS)
    script = str(SCRIPTS / "fetch_bvlc_googlenet.sh")
    done = subprocess.run(
        [shutil.which("sh"), script, str(tmp_path / "models")],
        env={"PATH": str(programs)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 2
    assert "neither curl nor wget" in done.stderr
    # the published address and checksum, when nothing else is asked for
    assert "http://dl.caffe.berkeleyvision.org/bvlc_googlenet.caffemodel" in done.stderr
    assert "405fc5acd08a3bb12de8ee5e23a96bec22f08204" in done.stderr
