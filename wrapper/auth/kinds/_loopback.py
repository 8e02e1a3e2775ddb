"""The answer of a browser to a loopback port of this machine, for one sign-in.

Source: RFC 8252 7.3, RFC 7636.
"""

from __future__ import annotations

import base64
import hashlib
import secrets
import select
import socket
import socketserver
import sys
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler
from urllib.parse import parse_qs, urlsplit

from wrapper.errors import AuthError, StoreError
from wrapper.typed import TYPE_CHECKING, NamedTuple
from wrapper.world import World, browsers

if TYPE_CHECKING:
    from typing import Self

WAIT = 300.0
PATH = "/oauth/callback"
_SHOWN = 300
_HEADERS = {
    "Content-Type": "text/html; charset=utf-8",
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "X-Content-Type-Options": "nosniff",
    "Connection": "close",
}
_PAGE = b"""<!doctype html><meta charset="utf-8"><title>atmos-wrap</title>
<p style="font-family: sans-serif; margin: 3em">%s</p>"""


def has_browser(world: World) -> bool:
    """Say whether this machine can show a page to whoever sits at the terminal.

    A session over SSH can where `BROWSER` or a forwarded display says how; a text browser is none.
    """
    environ = world.environ
    if world.in_ci or not world.stderr_tty:
        return False
    remote = environ.get("SSH_CONNECTION") or environ.get("SSH_TTY")
    platform = "" if remote else sys.platform
    return bool(browsers(environ, platform))


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
    """A port on 127.0.0.1 that takes one answer with the right state; others are turned away.

    Requests are answered in threads: a connection that a browser opens in advance, and leaves
    silent, holds nobody up.
    """

    def __init__(self, state: str) -> None:
        self.code = ""
        self.error = ""
        self._state = state
        self._once = threading.Lock()
        self._told, self._tell = socket.socketpair()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            timeout = 10
            server_version, sys_version = "atmos-wrap", ""

            def do_GET(self) -> None:
                status, text = outer._answered(self.path, self.headers)
                page = _PAGE % text.encode()
                self.send_response(status)
                for name, value in _HEADERS.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)
                outer._decided()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002
                """Say nothing: the path holds the code."""

        class Server(socketserver.ThreadingTCPServer):
            daemon_threads = True
            block_on_close = False

            def handle_error(self, *_: object) -> None:
                """Say nothing: a browser may hang up."""

        try:
            self._server = Server(("127.0.0.1", 0), Handler)
        except OSError as error:
            raise StoreError(f"cannot listen on 127.0.0.1: {error.strerror or error}") from error
        self._host = f"127.0.0.1:{self._server.server_address[1]}"
        self.url = f"http://{self._host}{PATH}"

    def __enter__(self) -> Self:
        threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._told.close()
        self._tell.close()

    def _answered(self, target: str, headers: Message) -> tuple[int, str]:
        parts = urlsplit(target)
        if headers.get("Host", "") != self._host:  # a foreign name that leads to this machine
            return 400, "This is not the address of a sign-in."
        if parts.path != PATH:
            return 404, "There is nothing here."
        # The sign-in service leads the browser here; no page asks for it from within.
        if headers.get("Origin") or headers.get("Sec-Fetch-Mode", "navigate") != "navigate":
            return 403, "A page of another origin may not answer."
        given = {key: values[0] for key, values in parse_qs(parts.query).items()}
        if not secrets.compare_digest(given.get("state", "").encode(), self._state.encode()):
            return 400, "This answer belongs to another sign-in."
        if not given.get("code") and not given.get("error"):
            return 400, "There is no code in this answer."
        with self._once:
            if self.code or self.error:
                return 410, "This sign-in is over. You can close this page."
            if given.get("error"):
                text = f"{given['error']}: {given.get('error_description', '')}".rstrip(": ")
                self.error = text[:_SHOWN]
                return 400, "The sign-in failed. You can close this page."
            self.code = given["code"]
        return 200, "You are signed in. You can close this page."

    def _decided(self) -> None:
        """Wake whoever waits, once the browser has its page."""
        if self.code or self.error:
            try:
                self._tell.send(b"!")
            except OSError:  # nobody waits any more
                return

    def fileno(self) -> int:
        """Return a descriptor that can be read when the sign-in is decided."""
        return self._told.fileno()

    def wait(self, title: str, seconds: float = WAIT) -> str:
        """Return the code. Raises: AuthError when the sign-in failed or nobody answered."""
        ready, _, _ = select.select([self._told], [], [], max(seconds, 0.0))
        if not ready:
            raise AuthError(
                f"{title}: nobody signed in within {int(WAIT / 60)} minutes",
                hint="start the command again",
            )
        return self.result(title)

    def result(self, title: str) -> str:
        """Return the code that came. Raises: AuthError with what came instead."""
        if self.error.partition(":")[0] == "access_denied":
            raise AuthError(
                f"{title}: the sign-in was declined in the browser ({self.error})",
                hint="sign in again",
            )
        if self.error:
            raise AuthError(f"{title}: the browser answered {self.error}", hint="sign in again")
        return self.code
