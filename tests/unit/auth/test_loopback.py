"""The port that waits for a browser: who may answer it, and what they are told."""

from __future__ import annotations

import http.client
import socket
from collections.abc import Iterator
from urllib.parse import urlencode, urlsplit

import pytest

from wrapper.auth.kinds import _loopback
from wrapper.auth.kinds._loopback import Callback
from wrapper.errors import AuthError
from wrapper.world import World, browsers

STATE = "right"


@pytest.fixture
def callback() -> Iterator[Callback]:
    with Callback(STATE) as found:
        yield found


def ask(callback: Callback, headers: dict[str, str] | None = None, **query: str) -> tuple[int, str]:
    """Return status and page."""
    parts = urlsplit(callback.url)
    peer = http.client.HTTPConnection(parts.netloc, timeout=5)  # less than a silent peer gets
    peer.request("GET", f"{parts.path}?{urlencode(query)}", headers=headers or {})
    answer = peer.getresponse()
    found = (answer.status, answer.read().decode())
    peer.close()
    return found


@pytest.mark.parametrize(
    ("headers", "query", "status"),
    [
        ({}, {"code": "evil", "state": "wrong"}, 400),
        ({}, {"code": "evil"}, 400),
        ({}, {"state": STATE}, 400),
        ({"Host": "evil.example.com"}, {"code": "evil", "state": STATE}, 400),
        ({"Origin": "https://evil.example.com"}, {"code": "evil", "state": STATE}, 403),
        ({"Sec-Fetch-Mode": "no-cors"}, {"code": "evil", "state": STATE}, 403),
    ],
    ids=["state", "no-state", "no-code", "host", "origin", "fetch"],
)
def test_what_is_no_answer_is_turned_away_and_the_port_waits_on(
    callback: Callback, headers: dict[str, str], query: dict[str, str], status: int
) -> None:
    assert ask(callback, headers, **query)[0] == status
    assert ask(callback, code="good", state=STATE)[0] == 200
    assert callback.wait("me") == "good"


def test_the_first_answer_counts_and_the_second_is_told_so(callback: Callback) -> None:
    ask(callback, code="first", state=STATE)
    assert ask(callback, code="second", state=STATE)[0] == 410
    assert callback.wait("me") == "first"


def test_nothing_of_an_answer_is_shown_on_the_page(callback: Callback) -> None:
    text = "<script>alert(1)</script>"
    status, page = ask(callback, error=text, error_description=text, state=STATE)
    assert (status, "script" in page) == (400, False)
    with pytest.raises(AuthError):
        callback.wait("me")


def test_the_text_of_an_error_has_an_end(callback: Callback) -> None:
    ask(callback, error="x", error_description="y" * 5000, state=STATE)
    with pytest.raises(AuthError) as caught:
        callback.wait("me")
    assert len(caught.value.message) < 400


def test_a_connection_that_says_nothing_holds_nobody_up(callback: Callback) -> None:
    parts = urlsplit(callback.url)
    with socket.create_connection((parts.hostname, parts.port)):
        assert ask(callback, code="good", state=STATE)[0] == 200
        assert callback.wait("me") == "good"


def test_the_port_is_closed_afterwards() -> None:
    with Callback(STATE) as callback:
        ask(callback, code="good", state=STATE)
    with pytest.raises(ConnectionRefusedError):
        ask(callback, code="late", state=STATE)


@pytest.mark.parametrize(
    ("environ", "found"),
    [
        ({}, False),
        ({"DISPLAY": ":0"}, True),
        ({"WAYLAND_DISPLAY": "wayland-0"}, True),
        ({"BROWSER": "firefox"}, True),
        ({"BROWSER": "/usr/bin/w3m"}, False),
        ({"BROWSER": "lynx:firefox"}, True),
        ({"SSH_CONNECTION": "a b c d"}, False),
        ({"SSH_CONNECTION": "a b c d", "DISPLAY": "localhost:10"}, True),
        ({"SSH_CONNECTION": "a b c d", "BROWSER": "/remote/helper"}, True),
        ({"WSL_DISTRO_NAME": "Debian"}, True),
        ({"DISPLAY": ":0", "CI": "true"}, False),
    ],
)
def test_where_there_is_a_browser(outside: World, environ: dict[str, str], found: bool) -> None:
    world = outside._replace(environ=environ, stderr_tty=True)
    assert _loopback.has_browser(world) is found


@pytest.mark.parametrize(
    ("environ", "platform", "commands"),
    [
        ({"BROWSER": "firefox --new-tab %s:w3m"}, "linux", [["firefox", "--new-tab", "%s"]]),
        ({}, "darwin", [["/usr/bin/open", "%s"]]),
        (
            {"WSL_INTEROP": "/run/x"},
            "linux",
            [["wslview", "%s"], ["rundll32.exe", "url.dll,FileProtocolHandler", "%s"]],
        ),
    ],
)
def test_what_shows_a_page(
    environ: dict[str, str], platform: str, commands: list[list[str]]
) -> None:
    assert browsers(environ, platform) == commands
