"""Where the keys of a merged map come from: every piece that said something, and which counted."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from wrapper.errors import Location
from wrapper.merge import UNSET, Append
from wrapper.typed import Any, NamedTuple

Keys = tuple[str, ...]


class Piece(NamedTuple):
    """What one file says. `data` stands under `keys` of the result and under `prefix` of the file.

    `label` says what kind of place it is. `path` is empty for what is in no file; `told` then
    names where it is from.
    """

    label: str
    path: str
    prefix: Keys
    data: Mapping[str, Any]
    keys: Keys = ()
    told: str = ""


class Group(NamedTuple):
    """Pieces that are merged with each other first, lowest first, then over the groups below.

    `inside` and `onto` are the list strategies of these two merges.
    """

    pieces: tuple[Piece, ...]
    inside: str = "replace"
    onto: str = "replace"


class Step(NamedTuple):
    """One piece's word about a key. `counts`: it is (a part of) the value that won.

    `keys` is the path in the file, which may end early: at the value that stood for all below it.
    """

    piece: Piece
    keys: Keys
    value: Any
    counts: bool


class Origin(NamedTuple):
    """One key of the result, with all steps lowest first; a value without steps is derived."""

    keys: Keys
    value: Any
    steps: tuple[Step, ...]
    removed: bool = False

    @property
    def dotted(self) -> str:
        """Return the key path as text."""
        return ".".join(self.keys)


class Places:
    """Finds key paths in files, each file read and parsed once."""

    def __init__(self) -> None:
        self.finders: dict[str, Callable[[tuple[str | int, ...]], Location]] = {}

    def of(self, step: Step, inside: tuple[str | int, ...] = ()) -> Location | None:
        """Return the place of a step, or of what its value has `inside`; None in no file."""
        from wrapper import yamlio

        path = step.piece.path
        if not path:
            return None
        if path not in self.finders:
            try:
                with open(path, "rb") as stream:
                    text = stream.read()
            except OSError:
                text = b""
            self.finders[path] = yamlio.locator(text, path)
        return self.finders[path]((*step.keys, *inside))


def trace(value: Any, groups: Sequence[Group], root: Keys = ()) -> list[Origin]:
    """Return the origin of each leaf of a merged value that stands under `root`; lists are leaves.

    Keys that only pieces have, since they were taken away, follow as `removed`.
    """
    nothing = isinstance(value, Mapping) and not value
    given = () if nothing else leaves(value, root)
    found = [Origin(keys, leaf, _steps(keys, groups)) for keys, leaf in given]
    there = {origin.keys[:size] for origin in found for size in range(len(origin.keys) + 1)}
    ends = {origin.keys for origin in found}
    gone: dict[Keys, None] = {}
    for group in groups:
        for piece in group.pieces:
            for keys, _ in leaves(piece.data, piece.keys):
                known = any(keys[:size] in ends for size in range(len(keys) + 1))
                inside = len(keys) > len(root) and keys[: len(root)] == root
                if inside and keys not in there and not known:
                    gone[keys] = None
    for keys in gone:
        if not any(keys[:size] in gone for size in range(len(keys))):
            steps = tuple(step._replace(counts=False) for step in _steps(keys, groups))
            found.append(Origin(keys, None, steps, removed=True))
    return found


def leaves(value: Any, keys: Keys = ()) -> Iterator[tuple[Keys, Any]]:
    """Yield the key path and value of whatever is no map with entries."""
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from leaves(item, (*keys, key))
    else:
        yield keys, value


def below(origins: Sequence[Origin], dotted: str) -> list[Origin]:
    """Return the origins of a key and what is below it; of the list that holds it if it is in one."""
    wanted = dotted.strip(".")
    if not wanted:
        return list(origins)
    found = [one for one in origins if one.dotted == wanted or one.dotted.startswith(wanted + ".")]
    return found or [one for one in origins if wanted.startswith(one.dotted + ".")]


def _steps(keys: Keys, groups: Sequence[Group]) -> tuple[Step, ...]:
    steps: list[Step] = []
    counted: list[int] = []
    current: Any = None
    for group in groups:
        own: list[int] = []
        inner: Any = None
        # So many keys lead to a value that hides the key: a map in its place takes that back.
        hides = 0
        for piece in group.pieces:
            found = _said(piece, keys)
            if found is None:
                if hides and _opens(piece, keys[:hides]):
                    own, inner, hides = [], None, 0
                continue
            depth = len(found.keys) - len(piece.prefix) + len(piece.keys)
            hides = depth if depth < len(keys) else 0
            own = [*own, len(steps)] if _joins(inner, found.value, group.inside) else [len(steps)]
            inner = found.value
            steps.append(found)
        if own:
            outer = [] if isinstance(inner, Append) else inner
            counted = [*counted, *own] if _joins(current, outer, group.onto) else own
            current = inner
    return tuple(
        step._replace(counts=number in counted and step.value is not UNSET)
        for number, step in enumerate(steps)
    )


def _joins(lower: Any, upper: Any, strategy: str) -> bool:
    """Say whether a value is added to the one below instead of taking its place."""
    if not isinstance(lower, list) or not isinstance(upper, list):
        return False
    return isinstance(upper, Append) or strategy in ("append", "merge")


def _opens(piece: Piece, keys: Keys) -> bool:
    """Say whether a piece has a map at a key path."""
    value: Any = piece.data
    for key in keys[len(piece.keys) :]:
        value = value.get(key) if isinstance(value, Mapping) else None
    return keys[: len(piece.keys)] == piece.keys and isinstance(value, Mapping)


def _said(piece: Piece, keys: Keys) -> Step | None:
    """Return what a piece says about a key path: its value there, or one that hides all below."""
    size = len(piece.keys)
    if keys[:size] != piece.keys:
        return None
    value: Any = piece.data
    for position in range(size, len(keys)):
        if not isinstance(value, Mapping):
            return Step(piece, (*piece.prefix, *keys[size:position]), value, False)
        if keys[position] not in value:
            return None
        value = value[keys[position]]
    return Step(piece, (*piece.prefix, *keys[size:]), value, False)
