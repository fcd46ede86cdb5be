"""scripts/fetch_bvlc_googlenet.sh against a web server on this machine."""

from __future__ import annotations

import hashlib
import os
import shutil
import socket
import subprocess
from pathlib import Path

import pytest

from tests.webserver import only_programs, serving

SCRIPT = Path(__file__).parent.parent / "scripts" / "fetch_bvlc_googlenet.sh"
CONTENT = bytes(range(256)) * 4096  # 1 MiB
SHA1 = hashlib.sha1(CONTENT).hexdigest()
NAME = "bvlc_googlenet.caffemodel"


@pytest.fixture
def server():
    good = dict.fromkeys(["/good", "/plain", "/cut"], CONTENT)
    with serving({**good, "/wrong": CONTENT[::-1]}) as server:
        yield server


@pytest.fixture(params=["curl", "wget"])
def fetch(request, server, tmp_path):
    """Run the script with one of the two programs only, into an empty folder."""
    if shutil.which(request.param) is None:
        pytest.skip(f"{request.param} is not installed")
    needed = "sh cat cut dirname mkdir mv rm sed sha1sum tr wc".split()
    programs = only_programs(tmp_path / "bin", [*needed, request.param])
    folder = tmp_path / "a folder"

    def run(path="/good", sha1=SHA1, url=None, folder=folder):
        address = url or server.address + path
        environment = {"PATH": str(programs), "DREAM_MODEL_URL": address, "DREAM_MODEL_SHA1": sha1}
        return subprocess.run(
            [shutil.which("sh"), str(SCRIPT), str(folder)],
            env=environment,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )

    run.folder, run.file, run.part = folder, folder / NAME, folder / (NAME + ".part")
    run.program = request.param
    return run


def part_of(fetch, content):
    fetch.folder.mkdir()
    fetch.part.write_bytes(content)


def test_good_file_is_moved_into_place(fetch):
    done = fetch("/good")
    assert done.returncode == 0, done.stderr
    assert fetch.file.read_bytes() == CONTENT
    assert not fetch.part.exists()


def test_corrupt_file_is_refused_and_removed(fetch):
    done = fetch("/wrong")
    assert done.returncode == 2
    assert SHA1 in done.stderr
    assert hashlib.sha1(CONTENT[::-1]).hexdigest() in done.stderr
    assert not fetch.file.exists()
    assert not fetch.part.exists()


def test_cut_download_is_kept(fetch):
    done = fetch("/cut")
    assert done.returncode == 2
    assert "cut" in done.stderr
    assert "Run this again" in done.stderr
    assert fetch.part.read_bytes() == CONTENT[: len(CONTENT) // 2]
    assert not fetch.file.exists()


def test_cut_download_goes_on_where_it_stopped(fetch, server):
    fetch("/cut")
    done = fetch("/good")
    assert done.returncode == 0, done.stderr
    assert fetch.file.read_bytes() == CONTENT
    assert server.asked[-1] == ("/good", f"bytes={len(CONTENT) // 2}-")


def test_server_without_ranges_starts_over(fetch):
    part_of(fetch, CONTENT[:1000])
    done = fetch("/plain")
    assert done.returncode == 0, done.stderr
    assert fetch.file.read_bytes() == CONTENT


def test_resumed_download_that_is_corrupt_is_removed(fetch):
    part_of(fetch, b"x" * 1000)
    done = fetch("/good")
    assert done.returncode == 2
    assert not fetch.part.exists()
    assert fetch("/good").returncode == 0


def test_complete_part_needs_no_download(fetch, server):
    part_of(fetch, CONTENT)
    assert fetch("/good").returncode == 0
    assert fetch.file.read_bytes() == CONTENT
    assert server.asked == []


def test_overlong_part_does_not_block_the_download(fetch):
    part_of(fetch, CONTENT + b"more")
    fetch("/good")  # curl starts over; wget takes the part for complete and the checksum removes it
    done = fetch("/good")
    assert done.returncode == 0, done.stderr
    assert fetch.file.read_bytes() == CONTENT


@pytest.mark.parametrize("path", ["/elsewhere", "/elsewhere/416"])
def test_missing_file_says_status_and_mirror(fetch, path):
    done = fetch(path)
    assert done.returncode == 2
    assert "404" in done.stderr
    assert "DREAM_MODEL_URL" in done.stderr
    assert not fetch.part.exists()


def test_missing_file_keeps_an_earlier_part(fetch):
    part_of(fetch, CONTENT[:1000])
    assert fetch("/elsewhere").returncode == 2
    assert fetch.part.read_bytes() == CONTENT[:1000]


def test_unreachable_host_is_named(fetch):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        done = fetch(url=url)
    assert done.returncode == 2
    assert f"cannot reach {url}" in done.stderr
    assert "DREAM_MODEL_URL" in done.stderr


def test_verified_file_is_not_fetched_again(fetch, server):
    fetch.folder.mkdir()
    fetch.file.write_bytes(CONTENT)
    done = fetch("/good")
    assert done.returncode == 0
    assert "already" in done.stdout
    assert server.asked == []


def test_file_with_another_checksum_is_replaced(fetch):
    fetch.folder.mkdir()
    fetch.file.write_bytes(b"not it")
    assert fetch("/good").returncode == 0
    assert fetch.file.read_bytes() == CONTENT


@pytest.mark.parametrize("sha1", ["abc", "z" * 40, SHA1 + "0"])
def test_malformed_checksum_is_refused_before_anything_runs(fetch, server, sha1):
    done = fetch(sha1=sha1)
    assert done.returncode == 2
    assert "DREAM_MODEL_SHA1" in done.stderr
    assert server.asked == []


def test_checksum_may_be_in_capitals(fetch):
    assert fetch(sha1=SHA1.upper()).returncode == 0


def test_folder_that_cannot_be_made_is_named(fetch, tmp_path):
    (tmp_path / "file").write_text("")
    done = fetch(folder=tmp_path / "file" / "folder")
    assert done.returncode == 2
    assert str(tmp_path / "file" / "folder") in done.stderr


def test_without_curl_and_wget_the_message_says_what_to_install(tmp_path):
    programs = only_programs(
        tmp_path / "bin", "sh cut dirname mkdir mv rm sed sha1sum tr wc".split()
    )
    done = subprocess.run(
        [shutil.which("sh"), str(SCRIPT), str(tmp_path / "models")],
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


def test_help_says_the_variables(tmp_path):
    done = subprocess.run([str(SCRIPT), "--help"], capture_output=True, text=True, check=True)
    assert "DREAM_MODEL_URL" in done.stdout
    assert "DREAM_MODEL_SHA1" in done.stdout
    assert os.access(SCRIPT, os.X_OK)
