"""A host on the net: repositories of git and plain files by https, on loopback, with its own CA.

Git's own `http-backend` answers for the repositories; every request is noted.
"""

from __future__ import annotations

import os
import ssl
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit

import trustme

_DATE = "2024-01-01T00:00:00Z"


class Answer(NamedTuple):
    """What a path gives: status, body, and for redirects where to."""

    status: int = 200
    body: bytes = b""
    location: str = ""


class Net:
    """A running host; `requests` are method and path of each, `logins` what clients showed."""

    def __init__(self, scratch: Path, git: str) -> None:
        self.root = scratch / "git"
        self.root.mkdir(exist_ok=True)
        self.git = git
        self.url = ""
        self.bundle = str(scratch / "net-ca.pem")
        self.files: dict[str, Answer] = {}
        self.requests: list[str] = []
        self.logins: list[str] = []
        self.away = False
        self.password = ""  # if set, who does not show it gets nothing

    def environment(self) -> dict[str, str]:
        """Return what lets a client trust the host."""
        return {"SSL_CERT_FILE": self.bundle}

    def fetches(self) -> int:
        """Return how often files of a repository were handed out or a plain file was asked for."""
        return sum(one.startswith(("POST ", "GET /files/")) for one in self.requests)

    def repository(self, name: str, files: Mapping[str, str]) -> str:
        """Make a repository with one commit on main; return its address."""
        path = self.root / f"{name}.git"
        self._git("init", "--quiet", "--bare", "--initial-branch=main", str(path))
        self.commit(name, files)
        return f"{self.url}/{name}.git"

    def commit(self, name: str, files: Mapping[str, str], *, link: str = "") -> str:
        """Put a commit with exactly these files on main; `link` is `NAME:TARGET`. Return its id."""
        path = self.root / f"{name}.git"
        entries = [("100644", file, text) for file, text in files.items()]
        if link:
            entries.append(("120000", *link.split(":", 1)))  # type: ignore[arg-type]
        index = path / "index.tmp"
        env = {"GIT_INDEX_FILE": str(index)}
        index.unlink(missing_ok=True)
        for mode, file, text in entries:
            blob = self._git("hash-object", "-w", "--stdin", path=path, stdin=text)
            info = f"{mode},{blob},{file}"
            self._git("update-index", "--add", "--cacheinfo", info, path=path, env=env)
        tree = self._git("write-tree", path=path, env=env)
        commit = self._git("commit-tree", "-m", "one", tree, path=path)
        self._git("update-ref", "refs/heads/main", commit, path=path)
        return commit

    def tag(self, name: str, tag: str, commit: str) -> None:
        """Let a tag be a commit, whatever it was."""
        path = self.root / f"{name}.git"
        self._git("tag", "--force", "--annotate", "-m", tag, tag, commit, path=path)

    def _git(
        self,
        *arguments: str,
        path: Path | None = None,
        stdin: str = "",
        env: Mapping[str, str] | None = None,
    ) -> str:
        who = {"NAME": "test", "EMAIL": "test@example.com", "DATE": _DATE}
        own = {f"GIT_{role}_{k}": v for role in ("AUTHOR", "COMMITTER") for k, v in who.items()}
        where = [f"--git-dir={path}"] if path else []
        done = subprocess.run(
            [self.git, *where, *arguments],
            env={"PATH": os.defpath, "HOME": "/nonexistent", **own, **(env or {})},
            input=stdin,
            capture_output=True,
            text=True,
            check=True,
        )
        return done.stdout.strip()

    def answer(self, handler: _Handler) -> None:
        """Answer one request."""
        path = urlsplit(handler.path).path
        self.requests.append(f"{handler.command} {path}")
        shown = handler.headers.get("Authorization", "")
        if shown:
            self.logins.append(shown)
        if self.away or (self.password and shown != self.password):
            handler.reply(503 if self.away else 401, {}, b"")
        elif path in self.files:
            found = self.files[path]
            extra = {"Location": found.location} if found.location else {}
            handler.reply(found.status, extra, found.body)
        else:
            self._backend(handler)

    def _backend(self, handler: _Handler) -> None:
        path, _, query = handler.path.partition("?")
        body = handler.rfile.read(int(handler.headers.get("Content-Length") or 0))
        env = {
            "PATH": os.defpath,
            "HOME": "/nonexistent",
            "GIT_PROJECT_ROOT": str(self.root),
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_CONFIG_COUNT": "1",
            "GIT_CONFIG_KEY_0": "safe.directory",
            "GIT_CONFIG_VALUE_0": "*",
            "REQUEST_METHOD": handler.command,
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "CONTENT_TYPE": handler.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(len(body)),
            "HTTP_CONTENT_ENCODING": handler.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": handler.headers.get("Git-Protocol", ""),
        }
        done = subprocess.run(
            [self.git, "http-backend"], env=env, input=body, capture_output=True, check=True
        )
        head, _, data = done.stdout.partition(b"\r\n\r\n")
        lines = dict(line.split(": ", 1) for line in head.decode().split("\r\n") if ": " in line)
        status = int(lines.pop("Status", "200").split()[0])
        handler.reply(status, lines, data)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    net: Net

    def do_GET(self) -> None:
        """Answer."""
        self.net.answer(self)

    do_POST = do_GET  # noqa: N815  the name is the method

    def reply(self, status: int, headers: Mapping[str, str], data: bytes) -> None:
        """Send an answer."""
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def running(scratch: Path, git: str, *, tls: bool = True) -> Iterator[Net]:
    """Run a host until the block ends; without `tls` for behind a proxy that does it."""
    net = Net(scratch, git)
    handler = type("Handler", (_Handler,), {"net": net})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    net.url = f"http://127.0.0.1:{server.server_port}"
    if tls:
        authority = trustme.CA()
        authority.cert_pem.write_to_path(net.bundle)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert("127.0.0.1", "localhost").configure_cert(context)
        server.socket = context.wrap_socket(
            server.socket, server_side=True, do_handshake_on_connect=False
        )
        net.url = net.url.replace("http:", "https:")
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}).start()
    try:
        yield net
    finally:
        server.shutdown()
        server.server_close()
