"""The answer of a browser to a loopback port of this machine, for one sign-in.

Source: RFC 8252 7.3, RFC 7636.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import socketserver
import sys
import time
from http.server import BaseHTTPRequestHandler
from typing import NamedTuple, Self
from urllib.parse import parse_qs, urlsplit

from wrapper.errors import AuthError, StoreError
from wrapper.world import World

WAIT = 300.0
PATH = "/oauth/callback"
_PAGE = b"""<!doctype html><meta charset="utf-8"><title>atmos-wrap</title>
<p style="font-family: sans-serif; margin: 3em">%s</p>"""


def has_browser(world: World) -> bool:
    """Say whether this machine can show a page to whoever sits at the terminal."""
    environ = world.environ
    if world.in_ci or not world.stderr_tty:
        return False
    if environ.get("BROWSER") or environ.get("DISPLAY") or environ.get("WAYLAND_DISPLAY"):
        return True
    return sys.platform == "darwin" and not environ.get("SSH_CONNECTION")


class Proof(NamedTuple):
    """A PKCE verifier, its challenge, and the state that ties an answer to a question."""

    verifier: str
    challenge: str
    state: str

    @classmethod
    def new(cls) -> Proof:
        """Return fresh random values."""
        verifier = secrets.token_urlsafe(32)
        digest = hashlib.sha256(verifier.encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
        return cls(verifier, challenge, secrets.token_urlsafe(16))

    def __repr__(self) -> str:
        return "Proof()"


class Callback:
    """A port on 127.0.0.1 that takes one answer with the right state; others are turned away."""

    def __init__(self, state: str) -> None:
        self.code = ""
        self.error = ""
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10

            def do_GET(self) -> None:
                status, text = outer._answered(self.path, state)
                page = _PAGE % text.encode()
                self.send_response(status)
                self.send_header("Content-Type", "text/html; charset=utf-8")
                self.send_header("Content-Length", str(len(page)))
                self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the path holds the code."""

        try:
            self._server = socketserver.TCPServer(("127.0.0.1", 0), Handler)
        except OSError as error:
            raise StoreError(f"cannot listen on 127.0.0.1: {error.strerror or error}") from error
        self._server.handle_error = lambda *_: None  # type: ignore[method-assign]
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}{PATH}"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._server.server_close()

    def _answered(self, target: str, state: str) -> tuple[int, str]:
        parts = urlsplit(target)
        given = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if parts.path != PATH:
            return 404, "There is nothing here."
        if not secrets.compare_digest(given.get("state", "").encode(), state.encode()):
            return 400, "This answer belongs to another sign-in."
        if given.get("error"):
            text = f"{given['error']}: {given.get('error_description', '')}".rstrip(": ")
            self.error = text
            return 400, "The sign-in failed. You can close this page."
        if not given.get("code"):
            return 400, "There is no code in this answer."
        self.code = given["code"]
        return 200, "You are signed in. You can close this page."

    def fileno(self) -> int:
        """Return the listening socket's descriptor."""
        return self._server.fileno()

    def take(self, seconds: float) -> bool:
        """Answer what comes within some seconds; say whether the sign-in is decided."""
        self._server.timeout = seconds
        self._server.handle_request()
        return bool(self.code or self.error)

    def wait(self, title: str, seconds: float = WAIT) -> str:
        """Return the code. Raises: AuthError when the sign-in failed or nobody answered."""
        ends = time.monotonic() + seconds
        while not self.take(max(0.1, min(1.0, ends - time.monotonic()))):
            if time.monotonic() >= ends:
                raise AuthError(
                    f"{title}: nobody signed in within {int(seconds / 60)} minutes",
                    hint="start the command again",
                )
        return self.result(title)

    def result(self, title: str) -> str:
        """Return the code that came. Raises: AuthError with what came instead."""
        if self.error:
            raise AuthError(f"{title}: the browser answered {self.error}", hint="sign in again")
        return self.code
