"""A CONNECT proxy with a throw-away CA: real host names lead to servers on loopback, others nowhere.

Clients need `HTTPS_PROXY` (`proxy.url`) and trust in `proxy.bundle`. A host that has no route is
refused and noted, which proves that nothing else was contacted.
"""

from __future__ import annotations

import base64
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import trustme

_CHUNK = 65536
_SECONDS = 30.0


class Proxy:
    """A running proxy; `asked` holds the hosts that were connected to, `refused` the others.

    `authorizations` holds what clients showed to the proxy itself.
    """

    def __init__(self, listener: socket.socket, bundle: Path) -> None:
        self.authority = trustme.CA()
        self.bundle = str(bundle)
        self.authority.cert_pem.write_to_path(self.bundle)
        self.url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        self.asked: list[str] = []
        self.refused: list[str] = []
        self.authorizations: list[str] = []
        self.password = ""  # if set, who does not show it gets no tunnel
        self._listener = listener
        self._routes: dict[str, tuple[int, ssl.SSLContext | None]] = {}

    def route(self, host: str, endpoint: str, *, tls: bool = True) -> None:
        """Let `host` be the server at `endpoint` (`http://127.0.0.1:PORT`).

        With `tls` the proxy shows a certificate for the host and hands plain HTTP on; without it the
        bytes pass untouched, for a server that speaks TLS itself.
        """
        context = None
        if tls:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self.authority.issue_cert(host).configure_cert(context)
        self._routes[host] = (urlsplit(endpoint).port or 0, context)

    def block(self, host: str) -> None:
        """Let a host be away from now on, and forget who asked for it."""
        del self._routes[host]
        self.asked.clear()

    def environment(self) -> dict[str, str]:
        """Return what sends a client's requests through the proxy; loopback is reached directly."""
        return {
            "HTTPS_PROXY": self.url,
            "NO_PROXY": "127.0.0.1,localhost",
            "SSL_CERT_FILE": self.bundle,
            "AWS_CA_BUNDLE": self.bundle,
        }

    def _knows(self, shown: list[str]) -> bool:
        return shown == ["Basic " + base64.b64encode(f"me:{self.password}".encode()).decode()]

    def serve(self) -> None:
        """Take connections until the listener is closed."""
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            threading.Thread(target=self._connection, args=(client,), daemon=True).start()

    def _connection(self, client: socket.socket) -> None:
        client.settimeout(_SECONDS)
        try:
            with client:
                self._answer(client)
        except OSError:
            return  # the client went away, or does not trust the certificate: it tells its user

    def _answer(self, client: socket.socket) -> None:
        head = b""
        while b"\r\n\r\n" not in head:
            more = client.recv(_CHUNK)
            if not more or len(head) > _CHUNK:
                return
            head += more
        method, target, *_ = head.decode("latin-1").split()
        for line in head.decode("latin-1").split("\r\n"):
            if line.lower().startswith("proxy-authorization:"):
                self.authorizations.append(line.partition(":")[2].strip())
        if self.password and not self._knows(self.authorizations[-1:]):
            client.sendall(
                b"HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n"
            )
            return
        host = target.rpartition(":")[0] if method == "CONNECT" else urlsplit(target).hostname
        if method != "CONNECT" or host not in self._routes:
            self.refused.append(host or target)
            client.sendall(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n")
            return
        self.asked.append(host)
        port, context = self._routes[host]
        with socket.create_connection(("127.0.0.1", port), timeout=_SECONDS) as server:
            client.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            if context is None:
                _pump(client, server)
                return
            with context.wrap_socket(client, server_side=True) as secured:
                _pump(secured, server)


def _pump(client: socket.socket, server: socket.socket) -> None:
    """Carry bytes both ways until one side has said its last."""
    other = {client: server, server: client}
    while True:
        readable, _, _ = select.select([client, server], [], [], _SECONDS)
        if not readable:
            return
        for side in readable:
            data = side.recv(_CHUNK)
            while isinstance(side, ssl.SSLSocket) and side.pending():
                data += side.recv(_CHUNK)
            if not data:
                return
            other[side].sendall(data)


@contextmanager
def running(scratch: Path) -> Iterator[Proxy]:
    """Run a proxy on a loopback port until the block ends; its CA is `scratch/proxy-ca.pem`."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener, scratch / "proxy-ca.pem")
        threading.Thread(target=proxy.serve, daemon=True).start()
        yield proxy
        listener.shutdown(socket.SHUT_RDWR)
