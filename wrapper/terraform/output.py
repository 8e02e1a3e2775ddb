"""What components that run together print: line by line with their names, or each in one piece."""

from __future__ import annotations

import os
import subprocess
import threading
from typing import Self

from wrapper.process import Streams

# A program that a run left in the background may hold the stream: nobody waits for it long.
_PATIENCE = 5.0


class Output:
    """The two streams of one component's run, led to ours.

    Each line carries `label`, in brackets; when `grouped`, all is kept until the run is over. `lock`
    is shared by all runs: lines, and groups, stay whole.
    """

    def __init__(self, label: str, lock: threading.Lock, *, grouped: bool) -> None:
        self._prefix = b"" if grouped else f"[{label}] ".encode()
        self._grouped = grouped
        self._lock = lock
        self._kept: list[tuple[int, bytes]] = []
        self._readers: list[threading.Thread] = []
        self._ends: list[int] = []
        self.streams = Streams()

    def __enter__(self) -> Self:
        """Open the streams."""
        for target in (1, 2):
            reading, writing = os.pipe()
            self._ends.append(writing)
            reader = threading.Thread(target=self._read, args=(reading, target), daemon=True)
            reader.start()
            self._readers.append(reader)
        self.streams = Streams(subprocess.DEVNULL, *self._ends)
        return self

    def __exit__(self, *_: object) -> None:
        """Write what is left."""
        for end in self._ends:
            os.close(end)
        for reader in self._readers:
            reader.join(_PATIENCE)
        with self._lock:
            for target, line in self._kept:
                _write(target, line)
            self._kept = []

    def _read(self, descriptor: int, target: int) -> None:
        with open(descriptor, "rb") as stream:
            for line in stream:
                if self._grouped:
                    self._kept.append((target, line))
                    continue
                whole = line if line.endswith(b"\n") else line + b"\n"
                with self._lock:
                    _write(target, self._prefix + whole)


def _write(target: int, data: bytes) -> None:
    """Write all of it; nobody reading any more is no reason to stop a run."""
    try:
        while data:
            data = data[os.write(target, data) :]
    except (BrokenPipeError, OSError):
        return
