"""Downloads against a web server on this machine."""

from __future__ import annotations

import errno
import socket

import pytest

from dreamlib.errors import DreamError
from dreamlib.util import download as downloading
from dreamlib.util.download import Cut, download
from tests.webserver import serving

CONTENT = bytes(range(256)) * 4096
HALF = len(CONTENT) // 2


@pytest.fixture
def server():
    paths = ("/good", "/plain", "/cut", "/hang")
    with serving(dict.fromkeys(paths, CONTENT)) as server:
        yield server


@pytest.fixture
def path(tmp_path):
    return tmp_path / "file.part"


def test_a_file_is_downloaded(server, path):
    download(server.address + "/good", path)
    assert path.read_bytes() == CONTENT


def test_a_cut_download_is_kept(server, path):
    with pytest.raises(Cut, match=rf"cut after {HALF} of {len(CONTENT)} bytes"):
        download(server.address + "/cut", path)
    assert path.read_bytes() == CONTENT[:HALF]


def test_a_cut_download_is_resumed(server, path):
    path.write_bytes(CONTENT[:HALF])
    download(server.address + "/good", path)
    assert path.read_bytes() == CONTENT
    assert server.asked == [("/good", f"bytes={HALF}-")]


def test_a_server_that_cannot_resume_starts_over(server, path):
    path.write_bytes(b"x" * HALF)
    download(server.address + "/plain", path)
    assert path.read_bytes() == CONTENT


def test_a_whole_file_is_not_downloaded_again(server, path):
    path.write_bytes(CONTENT)
    download(server.address + "/good", path)
    assert path.read_bytes() == CONTENT
    assert len(server.asked) == 1


def test_a_file_that_is_too_long_is_downloaded_anew(server, path):
    path.write_bytes(CONTENT + b"more")
    download(server.address + "/good", path)
    assert path.read_bytes() == CONTENT


def test_a_silent_server_is_left_and_what_came_is_kept(server, path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT", 0.2)
    with pytest.raises(Cut, match=rf"after {HALF} bytes: no answer for 0\.2 s"):
        download(server.address + "/hang", path)
    assert path.read_bytes() == CONTENT[:HALF]


def test_a_server_that_never_answers_is_left(path, monkeypatch):
    monkeypatch.setattr(downloading, "TIMEOUT", 0.2)
    with socket.socket() as deaf:
        deaf.bind(("127.0.0.1", 0))
        deaf.listen()
        with pytest.raises(DreamError, match=r"cannot be reached: no answer for 0\.2 s"):
            download(f"http://127.0.0.1:{deaf.getsockname()[1]}/file", path)
    assert not path.exists()


@pytest.mark.parametrize("kept", [b"", CONTENT[:100]])
def test_a_missing_file_says_the_status_and_what_there_is_stays(server, path, kept):
    path.write_bytes(kept)
    with pytest.raises(DreamError, match="the server answers 404 Not Found"):
        download(server.address + "/elsewhere", path)
    assert path.read_bytes() == kept


def test_a_host_where_nobody_listens_is_named(path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # bound, and nobody listens
        url = f"http://127.0.0.1:{unused.getsockname()[1]}/file"
        with pytest.raises(DreamError, match=f"{url}: cannot be reached: .*refused"):
            download(url, path)


@pytest.mark.parametrize("url", ["weights", "http://", "gopher://host/file"])
def test_what_is_no_address_is_refused(path, url):
    with pytest.raises(DreamError, match=url):
        download(url, path)


def test_a_full_disk_is_said(server, path, monkeypatch):
    def full(path, mode):
        file = open(path, mode)  # noqa: SIM115 (the caller closes it)

        class Full:
            def __enter__(self):
                return self

            def __exit__(self, *error):
                file.close()

            def seek(self, place):
                pass

            def write(self, chunk):
                raise OSError(errno.ENOSPC, "No space left on device")

        return Full()

    monkeypatch.setattr(downloading, "_opened", full)
    with pytest.raises(DreamError, match=r"file\.part cannot be written: No space left"):
        download(server.address + "/good", path)


def test_a_folder_that_is_not_there_is_said(server, tmp_path):
    with pytest.raises(DreamError, match="cannot be written: No such file or directory"):
        download(server.address + "/good", tmp_path / "none" / "file")
