"""What bounds a call to a service: the time of one try, that of all tries, the size of an answer."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping

from wrapper import ui
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

# Seconds for the answer to one try; who sits behind a slow line may want more.
VARIABLE = "ATMOS_WRAP_TIMEOUT"
ANSWER = 15.0
CONNECT = 5.0
LONGEST = 600.0
# After so many times the seconds of one try, no other one begins.
ALL_TRIES = 4.0
# Answers are small documents; more is not read.
LIMIT = 4 << 20
_BLOCK = 1 << 16
_BEGAN = "atmos-wrap-began"


class Bounds(NamedTuple):
    """Seconds to connect, to answer, and after which no further try begins."""

    connect: float
    answer: float
    tries: float


def of(world: World) -> Bounds:
    """Return the bounds that the environment sets, else ours."""
    text = world.environ.get(VARIABLE, "")
    answer = ANSWER
    if text:
        try:
            answer = float(text)
        except ValueError:
            answer = 0.0
        if not 0 < answer <= LONGEST:
            ui.warn(world, f"{VARIABLE} is no number of seconds up to 600: {ANSWER:.0f} are used")
            answer = ANSWER
    return Bounds(min(CONNECT, answer), answer, answer * ALL_TRIES)


def bind(
    client: Any, bounds: Bounds, verify: str | None, proxies: Callable[[str], Mapping[str, str]]
) -> None:
    """Let a client of botocore keep to the bounds; `proxies` says by which proxies a URL is asked.

    Its own reader takes an answer of any size, at any pace, and one that ends too early for whole.
    """
    from botocore.awsrequest import AWSResponse
    from botocore.httpsession import URLLib3Session

    trusted: Any = True if verify is None else verify
    seconds: Any = (bounds.connect, bounds.answer)
    sessions: dict[tuple[tuple[str, str], ...], URLLib3Session] = {}

    def send(request: Any, **_: Any) -> Any:
        request.context.setdefault(_BEGAN, time.monotonic())
        ends = time.monotonic() + bounds.answer
        request.stream_output = True
        through = dict(proxies(request.url))
        session = sessions.setdefault(
            tuple(through.items()),
            URLLib3Session(verify=trusted, proxies=through, timeout=seconds),
        )
        given: Any = session.send(request)
        data = _read(given, ends)
        return AWSResponse(given.url, given.status_code, given.headers, _Whole(data))

    def late(request_dict: Mapping[str, Any], **_: Any) -> bool | None:
        began = request_dict["context"].get(_BEGAN)
        over = began is not None and time.monotonic() - began > bounds.tries
        return False if over else None

    client.meta.events.register("before-send", send)
    client.meta.events.register_first("needs-retry", late)


class _Whole:
    """The body of an answer, in the shape in which botocore takes it."""

    def __init__(self, data: bytes) -> None:
        self._data = data

    def stream(self, **_: Any) -> Iterator[bytes]:
        yield self._data


def _read(given: Any, ends: float) -> bytes:
    from botocore.exceptions import ConnectionClosedError, ReadTimeoutError
    from urllib3.exceptions import HTTPError
    from urllib3.exceptions import ReadTimeoutError as Late

    try:
        data = read(given.raw.read1, ends)
        given.raw.release_conn()
    except (Late, TimeoutError) as error:
        raise ReadTimeoutError(endpoint_url=given.url, error=error) from error
    except (HTTPError, OSError) as error:
        raise ConnectionClosedError(endpoint_url=given.url, error=error) from error
    finally:
        given.raw.close()
    if short(data, given.headers.get("Content-Length")):
        raise ConnectionClosedError(endpoint_url=given.url)
    return data


def read(block: Any, ends: float) -> bytes:
    """Return all that `block(size)` gives until `ends` on the monotonic clock.

    Raises: TimeoutError, TooLarge.
    """
    parts: list[bytes] = []
    size = 0
    while data := block(_BLOCK):
        parts.append(data)
        size += len(data)
        if size > LIMIT:
            raise TooLarge
        if time.monotonic() > ends:
            raise TimeoutError("the answer did not end in time")
    return b"".join(parts)


def short(data: bytes, length: str | None) -> bool:
    """Say whether an answer ended before the length that it announced."""
    return length is not None and length.isdigit() and len(data) < int(length)


class TooLarge(Exception):
    """An answer that nobody would wait for."""
