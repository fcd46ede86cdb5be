"""A web server on this machine that serves well or badly, for tests of downloads."""

from __future__ import annotations

import contextlib
import http.server
import re
import shutil
import threading


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves `server.files`: path -> bytes; /plain* without ranges; /cut* hangs up halfway, /hang*
    falls silent there."""

    protocol_version = "HTTP/1.1"

    def do_GET(self):
        asked = self.headers.get("Range")
        self.server.asked.append((self.path, asked))
        content = self.server.files.get(self.path)
        if content is None:
            return self.answer(404, b"nothing here")
        start = int(re.match(r"bytes=(\d+)-", asked).group(1)) if asked else 0
        if start and not self.path.startswith("/plain"):
            if start >= len(content):
                return self.answer(416, b"", {"Content-Range": f"bytes */{len(content)}"})
            part = f"bytes {start}-{len(content) - 1}/{len(content)}"
            return self.answer(206, content[start:], {"Content-Range": part})
        if self.path.startswith("/cut"):
            return self.answer(200, content, sent=len(content) // 2)
        if self.path.startswith("/hang"):
            self.answer(200, content, sent=len(content) // 2)
            self.server.closing.wait()
            return None
        return self.answer(200, content)

    def answer(self, status, body, headers=None, sent=None):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        for key, value in (headers or {}).items():
            self.send_header(key, value)
        self.end_headers()
        self.wfile.write(body[:sent])
        self.wfile.flush()
        self.close_connection = True

    def log_message(self, *args):
        """Nothing: the test's output is the script's."""


@contextlib.contextmanager
def serving(files):
    """A server of these files; `asked` lists what it was asked for, `address` is where it is."""
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.asked, server.closing = dict(files), [], threading.Event()
    server.address = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield server
    finally:
        server.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


def only_programs(folder, names):
    """A folder with links to these programs alone, to be the whole PATH."""
    folder.mkdir()
    for name in names:
        (folder / name).symlink_to(shutil.which(name))
    return folder
