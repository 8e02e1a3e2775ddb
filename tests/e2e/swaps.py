"""Somebody who swaps a file while the program reads it."""

from __future__ import annotations

import contextlib
import itertools
import os
import threading
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


@contextlib.contextmanager
def _swapping(path: Path, texts: Sequence[str]) -> Iterator[None]:
    stop = threading.Event()

    def swap() -> None:
        # Each stays for less, as long as, and longer than a question of the shell takes.
        rhythms = itertools.cycle([0.0003] * 300 + [0.005] * 20 + [0.05] * 4 + [0.5])
        new = path.with_name("new")
        while not stop.is_set():
            pause = next(rhythms)
            for text in texts:
                new.write_text(text)
                os.replace(new, path)
                stop.wait(pause)

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


def ask(path: Path, texts: Sequence[str], question: Callable[[], bool], least: int) -> None:
    """Ask while a file is swapped for each text in turn, until both answers were given.

    At least `least` times; `question` says whether what the file holds was used.
    """
    used = 0
    with _swapping(path, texts):
        for count in itertools.count(1):
            used += question()
            if count >= least and 0 < used < count:
                return
