"""What a manifest depends on besides files: variables that it asks for, the time, chance.

A name such as `$HOME` stands for a variable, `$` alone for what is other each time.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping

from wrapper.typed import Any

ALWAYS = "$"
_open: list[set[str]] = []


class noted:  # noqa: N801  reads as what it does: `with noted() as names`
    """Collect the names of what is asked for meanwhile; whoever collects around it has them, too."""

    def __enter__(self) -> set[str]:
        """Begin."""
        self.names: set[str] = set()
        _open.append(self.names)
        return self.names

    def __exit__(self, *_: object) -> None:
        """End."""
        _open.pop()
        if _open:
            _open[-1].update(self.names)


def note(name: str = "") -> None:
    """Note that a variable was asked for; without a name, something that is other each time."""
    if _open:
        _open[-1].add("$" + name)


class Watched(Mapping[str, str]):
    """An environment that notes what is asked for."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self.environ = environ

    def __getitem__(self, name: str) -> str:
        """Return a variable."""
        note(name)
        return self.environ[name]

    def __iter__(self) -> Iterator[str]:
        """Yield the names; who asks for all depends on all."""
        note()
        return iter(self.environ)

    def __len__(self) -> int:
        """Return how many there are."""
        note()
        return len(self.environ)


def process() -> Watched:
    """Return this process's environment."""
    return Watched(os.environ)


def stamps(names: Iterable[str]) -> dict[str, str]:
    """Return a digest of the value of each name; ALWAYS is left without one."""
    from wrapper import sha256

    found: dict[str, str] = {}
    for name in names:
        value = os.environ.get(name[1:])
        text = "" if value is None else f"={value}"
        digest = sha256.hexdigest(text.encode("utf-8", "surrogateescape"))
        found[name] = "" if name == ALWAYS else digest
    return found


def changed(known: Any) -> set[str]:
    """Return the names that no longer have their digests. Raises: TypeError for no map."""
    if not known:
        return set()
    now = stamps(known)
    return {name for name, digest in known.items() if not digest or now[name] != digest}
