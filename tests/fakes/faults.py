"""A loopback cloud that can go wrong at any call, in every way that a network or a service can.

In front of the portal: the same answers, until a call has a fault. Real sockets: a reset is a
reset, a slow answer comes after the client has gone.
"""

from __future__ import annotations

import json
import re
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from tests.fakes import sigv4
from tests.fakes.cloud import Cloud

Answer = tuple[int, dict[str, str], bytes]
HUGE = 50 << 20
GIVE_UP = 120.0
# What each service says when it is asked too often. Source: botocore's service models.
THROTTLED = {
    "sso": (429, "TooManyRequestsException"),
    "sso-oidc": (400, "ThrottlingException"),
    "sts": (400, "Throttling"),
}


class Server:
    """A cloud, its faults, and the calls that came: label of the call and fault it met."""

    def __init__(self) -> None:
        self.cloud = Cloud()
        self.calls: list[tuple[str, str]] = []
        self.port = 0
        self._rules: list[list[Any]] = []
        self._lock = threading.Lock()

    @property
    def endpoint(self) -> str:
        """Return the address, without TLS."""
        return f"http://127.0.0.1:{self.port}"

    def script(self, label: str, fault: str, times: int = 1 << 30) -> None:
        """Let the next calls of a label meet a fault: a name in `FAULTS`, or `refuse STATUS CODE`."""
        self._rules.append([label, fault, times])

    def met(self, label: str) -> list[str]:
        """Return what the calls of one label met, in order; empty texts are answers."""
        return [fault for one, fault in self.calls if one == label]

    def forgive(self) -> None:
        """Let no call meet a fault any more, and set the clock."""
        self._rules.clear()
        self.cloud.skew = 0.0

    def fault(self, label: str) -> str:
        """Note a call; return the fault that it meets, empty for none."""
        with self._lock:
            for rule in self._rules:
                if rule[0] == label and rule[2] > 0:
                    rule[2] -= 1
                    self.calls.append((label, rule[1]))
                    return str(rule[1])
            self.calls.append((label, ""))
        return ""


def label(request: sigv4.Request) -> str:
    """Return the name of a call; a grant type belongs to it. Empty for what is no call."""
    path = urlsplit(request.target).path
    if path.endswith("/authorize"):
        return ""
    action = Cloud.action(request)
    if action == "CreateToken":
        return f"{action} {json.loads(request.body)['grantType'].rpartition(':')[2]}"
    if action == "signin":
        return f"{action} {dict(parse_qsl(request.body.decode()))['grant_type']}"
    return action


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    server: _Listener

    def _answer(self) -> None:
        faults = self.server.faults
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = sigv4.Request(self.command, self.path, headers, body)
        called = label(request)
        fault = faults.fault(called) if called else ""
        try:
            if not fault:
                self.send(faults.cloud.answer(request))
            elif fault.startswith("refuse "):
                _, status, code = fault.split(" ", 2)
                self.send(faults.cloud.refusal(request, int(status), code))
            else:
                FAULTS[fault](self, lambda: faults.cloud.answer(request), request)
        except OSError:  # the client has gone
            self.close_connection = True

    do_GET = do_POST = _answer  # noqa: N815

    def send(self, answer: Answer, *, length: int | None = None, part: int | None = None) -> None:
        """Send an answer; `length` is another one than it has, `part` sends so many bytes."""
        status, headers, data = answer
        self.send_response(status)
        size = len(data) if length is None else length
        for name, value in {**headers, "Content-Length": str(size)}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(data if part is None else data[:part])

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Return the server's time, which may be another one than the client's."""
        return super().date_time_string(timestamp or self.server.faults.cloud.now())

    def reset(self) -> None:
        """End the connection by RST."""
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.close_connection = True
        self.connection.close()

    def abandoned(self) -> None:
        """Wait until the client closes the connection."""
        ends = time.monotonic() + GIVE_UP
        while time.monotonic() < ends:
            if select.select([self.connection], [], [], 1.0)[0] and not self.connection.recv(1):
                break
        self.close_connection = True

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""


class _Listener(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128
    faults: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Say nothing: clients that give up are what is tested."""


# ---- the faults -----------------------------------------------------------------------------------

Make = Callable[[], Answer]


def _timeout(handler: Handler, make: Make, request: sigv4.Request) -> None:
    handler.abandoned()


def _late(handler: Handler, make: Make, request: sigv4.Request) -> None:
    make()  # it was done; only the answer is lost
    handler.abandoned()


def _reset(handler: Handler, make: Make, request: sigv4.Request) -> None:
    handler.reset()


def _reset_within(handler: Handler, make: Make, request: sigv4.Request) -> None:
    answer = make()
    handler.send(answer, part=len(answer[2]) // 2, length=len(answer[2]) + 1)
    handler.reset()


def _cut(handler: Handler, make: Make, request: sigv4.Request) -> None:
    answer = make()
    handler.send(answer, part=len(answer[2]) // 2, length=len(answer[2]) + 1)
    handler.close_connection = True


def _garbage(handler: Handler, make: Make, request: sigv4.Request) -> None:
    handler.wfile.write(b"\x16\x03\x01 this is no HTTP\r\n\r\n")
    handler.close_connection = True


def _status(status: int, **headers: str) -> Callable[[Handler, Make, sigv4.Request], None]:
    def send(handler: Handler, make: Make, request: sigv4.Request) -> None:
        given = {
            "Content-Type": "text/html",
            **{k.replace("_", "-"): v for k, v in headers.items()},
        }
        handler.send((status, given, b"<html><body><h1>Not now</h1></body></html>"))

    return send


def _throttled(handler: Handler, make: Make, request: sigv4.Request) -> None:
    cloud = handler.server.faults.cloud
    status, code = THROTTLED.get(cloud.service(request), (429, "too_many_requests"))
    handler.send(cloud.refusal(request, status, code))


def _malformed(handler: Handler, make: Make, request: sigv4.Request) -> None:
    status, headers, data = make()
    handler.send((status, headers, data[: len(data) // 2] + b"<{"))


def _empty(handler: Handler, make: Make, request: sigv4.Request) -> None:
    status, headers, _ = make()
    handler.send((status, headers, b""))


def _missing(handler: Handler, make: Make, request: sigv4.Request) -> None:
    status, headers, data = make()
    handler.send((status, headers, b"{}" if data.startswith(b"{") else _each(data, "")))


def _wrong_types(handler: Handler, make: Make, request: sigv4.Request) -> None:
    status, headers, data = make()
    if data.startswith(b"{"):
        handler.send((status, headers, json.dumps(_other(json.loads(data))).encode()))
    else:
        handler.send((status, headers, _each(data, "tomorrow")))


def _each(xml: bytes, text: str) -> bytes:
    """Return XML with another text in each element."""
    return re.sub(rb">[^<>]+</", b">" + text.encode() + b"</", xml)


def _other(value: Any) -> Any:
    """Return JSON of the same names with values of other types."""
    if isinstance(value, dict):
        return {name: _other(one) for name, one in value.items()}
    if isinstance(value, str):
        return ["no", {"text": 7}]
    return "soon" if isinstance(value, int | float) else {"no": "list"}


def _huge(handler: Handler, make: Make, request: sigv4.Request) -> None:
    status, headers, data = make()
    handler.send_response(status)
    for name, value in {**headers, "Transfer-Encoding": "chunked"}.items():
        handler.send_header(name, value)
    handler.end_headers()
    block = data[:1] + b" " * (1 << 16)
    for _ in range(HUGE >> 16):
        handler.wfile.write(b"%x\r\n%s\r\n" % (len(block), block))
    handler.wfile.write(b"0\r\n\r\n")


def _drip(handler: Handler, make: Make, request: sigv4.Request) -> None:
    handler.send(make(), length=1 << 20, part=0)
    ends = time.monotonic() + GIVE_UP
    while time.monotonic() < ends:  # one byte at a time, as long as somebody listens
        handler.wfile.write(b" ")
        time.sleep(0.05)


FAULTS: Mapping[str, Callable[[Handler, Make, sigv4.Request], None]] = {
    "timeout": _timeout,
    "late": _late,
    "reset": _reset,
    "reset within": _reset_within,
    "cut": _cut,
    "garbage": _garbage,
    "500": _status(500),
    "503": _status(503, Retry_After="1"),
    "429": _status(429),
    "throttled": _throttled,
    "redirect": _status(302, Location="https://login.example.com/"),
    "html": _status(200),
    "malformed": _malformed,
    "empty": _empty,
    "missing": _missing,
    "wrong types": _wrong_types,
    "huge": _huge,
    "drip": _drip,
}


@contextmanager
def running() -> Iterator[Server]:
    """Serve a cloud on a loopback port until the block ends."""
    server = Server()
    listener = _Listener(("127.0.0.1", 0), Handler)
    listener.faults = server
    server.port = listener.server_address[1]
    thread = threading.Thread(target=listener.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        listener.shutdown()
        listener.server_close()
