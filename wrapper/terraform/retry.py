"""`retry` of a component: a program of Terraform's is run again when what it said is known to pass.

Source: reference/atmos-stacks.md 5.8.
"""

from __future__ import annotations

import os
import re
import threading
import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from wrapper import ui
from wrapper.errors import StackError

if TYPE_CHECKING:
    from wrapper.errors import Location
    from wrapper.process import Child, Streams
    from wrapper.stacks import Component
    from wrapper.world import World

# Bytes of the end of what a program says that are looked at.
_KEPT = 1 << 20
_LONGEST = 3600.0
_STRATEGIES = ("constant", "linear", "exponential")
# Runs a program with its streams led elsewhere; gives its exit code.
Start = Callable[["Child", "Streams"], int]


class Retry(NamedTuple):
    """When to try again. `attempts` counts the first, 0 for no end; seconds otherwise."""

    conditions: tuple[re.Pattern[str], ...]
    attempts: int = 0
    strategy: str = "exponential"
    initial: float = 0.0
    longest: float = 0.0
    all_together: float = 0.0
    multiplier: float = 2.0
    jitter: float = 0.0

    def pause(self, attempt: int, chance: float) -> float:
        """Return the seconds after an attempt (from 1); `chance` is from 0 to 1."""
        seconds = self.initial
        if self.strategy == "linear":
            seconds *= attempt
        elif self.strategy == "exponential":
            try:
                seconds *= self.multiplier ** (attempt - 1)
            except OverflowError:
                seconds = _LONGEST
        seconds = min(seconds, self.longest or _LONGEST, _LONGEST)
        return seconds * (1 + self.jitter * (2 * chance - 1))


def read(component: Component) -> Retry | None:
    """Return a component's `retry`; None where nothing is ever tried again.

    Raises: StackError with the place of what is wrong.
    """
    section = component.section.get("retry")
    if not section:
        return None
    if not isinstance(section, Mapping):
        raise StackError("`retry` must be a map", at=component.where("retry"))

    def wrong(key: str, what: str) -> StackError:
        return StackError(f"retry.{key} {what}", at=component.where("retry", key))

    found = _read(section, wrong)
    return found if found.conditions and found.attempts != 1 else None


def of_map(section: Any, at: Location | None, name: str) -> Retry | None:
    """Return a `retry` that follows every failure; None where nothing is tried again.

    `name` is what messages call it. Raises: StackError.
    """
    if not section:
        return None
    if not isinstance(section, Mapping):
        raise StackError(f"{name} must be a map", at=at)
    found = _read(section, lambda key, what: StackError(f"{name}.{key} {what}", at=at))
    return found if found.attempts != 1 else None


def _read(section: Mapping[str, Any], wrong: Callable[[str, str], StackError]) -> Retry:
    given = section.get("conditions") or []
    if not isinstance(given, list):
        raise wrong("conditions", "must be a list of regular expressions")
    conditions = []
    for one in given:
        text = str(one)
        bare = text[1:-1] if len(text) > 1 and text[0] == text[-1] == "/" else text
        try:
            conditions.append(re.compile(bare))
        except re.error as error:
            raise wrong("conditions", f"holds no regular expression: {text}: {error}") from error
    attempts = _number(section, "max_attempts", 0, wrong)
    strategy = str(section.get("backoff_strategy") or "exponential")
    if strategy not in _STRATEGIES:
        raise wrong("backoff_strategy", f"must be one of {', '.join(_STRATEGIES)}")
    return Retry(
        tuple(conditions),
        int(attempts),
        strategy,
        _seconds(section, "initial_delay", wrong),
        _seconds(section, "max_delay", wrong),
        _seconds(section, "max_elapsed_time", wrong),
        _number(section, "multiplier", 2.0, wrong),
        min(_number(section, "random_jitter", 0.0, wrong), 1.0),
    )


def _number(
    section: Mapping[str, Any], key: str, usual: float, wrong: Callable[[str, str], StackError]
) -> float:
    value = section.get(key)
    if value is None:
        return usual
    if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
        raise wrong(key, "must be a number from 0 on")
    return float(value)


def _seconds(
    section: Mapping[str, Any], key: str, wrong: Callable[[str, str], StackError]
) -> float:
    from wrapper import durations

    value = section.get(key)
    if value is None:
        return 0.0
    try:
        seconds = durations.parse_go(str(value))
    except ValueError as error:
        raise wrong(key, str(error)) from error
    if seconds < 0:
        raise wrong(key, "must not be negative")
    return seconds


def run(
    retry: Retry,
    child: Child,
    start: Start,
    streams: Streams,
    world: World,
    stopped: Callable[[], bool],
) -> int:
    """Run a program until it ends well, or as no condition knows; return its last exit code.

    What it says passes to `streams` as it comes. `stopped` says that a signal asked to end.
    """
    import random

    began = time.monotonic()
    attempt = 1
    while True:
        with _Tee(child, streams) as tee:
            code = start(child, tee.streams)
        said = tee.text()
        last = 0 < retry.attempts <= attempt or code == 0 or code > 128 or stopped()
        if last or (code == 2 and "-detailed-exitcode" in child.argv):
            return code
        met = next((one.pattern for one in retry.conditions if one.search(said)), None)
        if met is None:
            return code
        pause = retry.pause(attempt, random.random())  # noqa: S311  no secret
        if retry.all_together and time.monotonic() - began + pause > retry.all_together:
            return code
        attempt += 1
        of = f" of {retry.attempts}" if retry.attempts else ""
        ui.note(
            world,
            f"{' '.join(child.argv[:2])} failed as `{met}` says: attempt {attempt}{of}"
            f" in {pause:.1f} s",
        )
        ends = time.monotonic() + pause
        while time.monotonic() < ends and not stopped():
            time.sleep(min(0.1, max(0.0, ends - time.monotonic())))
        if stopped():
            return code


class _Tee:
    """Leads a program's streams through us: on to where they were to go, and into a memory."""

    def __init__(self, child: Child, streams: Streams) -> None:
        self._child = child
        self.streams = streams
        self._kept = bytearray()
        self._lock = threading.Lock()
        self._ends: list[int] = []
        self._readers: list[threading.Thread] = []

    def __enter__(self) -> Self:
        given = self.streams
        out = 1 if given.stdout is None else given.stdout
        err = 2 if given.stderr is None else given.stderr
        led = []
        for target in (out, err):
            reading, writing = os.pipe()
            self._ends.append(writing)
            led.append(writing)
            reader = threading.Thread(target=self._read, args=(reading, target), daemon=True)
            reader.start()
            self._readers.append(reader)
        self.streams = given._replace(stdout=led[0], stderr=led[1])
        return self

    def __exit__(self, *_: object) -> None:
        for end in self._ends:
            os.close(end)
        for reader in self._readers:
            reader.join(5.0)

    def text(self) -> str:
        """Return the end of what was said."""
        with self._lock:
            return bytes(self._kept).decode("utf-8", "replace")

    def _read(self, descriptor: int, target: int) -> None:
        try:
            while data := os.read(descriptor, 1 << 16):
                with self._lock:
                    self._kept += data
                    del self._kept[: max(0, len(self._kept) - _KEPT)]
                left = data if target >= 0 else b""
                while left:
                    left = left[os.write(target, left) :]
        except OSError:
            return
        finally:
            os.close(descriptor)
