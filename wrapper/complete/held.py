"""Identities that manifests define, with those of the configuration: where each of them holds.

Kept packed: a Tab that asks for something else takes no time to read them.
"""

from __future__ import annotations

import marshal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from wrapper.stacks.catalog import Listing
    from wrapper.stacks.repository import Repository

    # Numbers of layers: the stack's own, that of its components, and of those that have another.
    Table = tuple[int, int, dict[str, int]]

Names = list[tuple[str, str]]
Known = dict[str, str]


def packed(repository: Repository, listings: Mapping[str, Listing]) -> tuple[bytes, bytes]:
    """Return all that is said of identities, and where each of it holds; b'' for nothing."""
    texts = repository.identities()
    if not texts:
        return b"", b""
    import json
    from array import array

    from wrapper.complete.sections import text
    from wrapper.stacks.names import path_name

    # (name, kind, account), without the last two where the name is taken away.
    entries: dict[tuple[str, ...], int] = {}
    layers: dict[tuple[int, ...], int] = {}
    stacks: dict[str, Table] = {}
    for path, one in texts.items():
        lists, own, shared, others = json.loads(one)
        numbers: list[int] = []
        for told in lists:
            said = ((name, *(what or ())) for name, what in told.items())
            layer = tuple([entries.setdefault(entry, len(entries)) for entry in said])
            numbers.append(layers.setdefault(layer, len(layers)))
        exceptions = {name: numbers[number] for name, number in others.items()}
        for stack in {row.stack for row in listings[path].rows}:
            named = stack or path_name(path, repository.settings.stacks_dir)
            known = stacks.get(named)
            if known is None:
                stacks[named] = numbers[own], numbers[shared], exceptions
            else:  # further components of the stack
                here = [row.component for row in listings[path].rows if row.stack == stack]
                more = {name: exceptions.get(name, numbers[shared]) for name in here}
                stacks[named] = known[0], known[1], {**known[2], **more}
    shown = [(name, *map(text, said)) for name, *said in entries]
    # A layer as bytes is not taken apart before somebody asks for it.
    kept = [array("I", layer).tobytes() for layer in layers]
    return marshal.dumps(shown), marshal.dumps((stacks, kept))


def anywhere(known: Known, entries: bytes) -> Names:
    """Return the identities of the configuration, `known`, and of all manifests."""
    found = {name: [about] for name, about in known.items()}
    for name, *said in marshal.loads(entries):  # noqa: S302  packed by us, see `stored.load`
        about = _about(said, known.get(name)) if said else ""
        if about:
            found.setdefault(name, []).append(about)
    return _shown(found)


def there(
    known: Known, entries: bytes, where: bytes, asked: Iterable[tuple[str, list[str]]]
) -> Names:
    """Return the identities that hold for any of some stacks, each with components of it.

    No components: what the stack itself says.
    """
    every = marshal.loads(entries)  # noqa: S302
    stacks, layers = marshal.loads(where)  # noqa: S302
    chosen: set[int] = set()
    for stack, components in asked:
        own, shared, exceptions = stacks.get(stack, (-1, -1, {}))
        chosen.update(exceptions.get(one, shared) for one in components or ())
        if not components:
            chosen.add(own)
    found: dict[str, list[str]] = {}
    touched: dict[str, set[int]] = {}
    laid = [memoryview(layers[one] if one >= 0 else b"").cast("I") for one in chosen]
    for number in set().union(*laid):
        name, *said = every[number]
        touched.setdefault(name, set()).add(number)
        about = _about(said, known.get(name)) if said else ""
        if about:
            found.setdefault(name, []).append(about)
    all_gone = touched.get("", set())
    for name, about in known.items():
        by = touched.get(name, set()) | all_gone
        if not by or any(by.isdisjoint(layer) for layer in laid):
            found.setdefault(name, []).append(about)
    return _shown(found)


def _about(said: list[str], known: str | None) -> str:
    """Return kind and account of an identity over what is known of it; '' for one without a kind."""
    kind, _, account = (known or "").partition(" ")
    kind, account = said[0] or kind, said[1] or account
    return f"{kind} {account}".rstrip() if kind else ""


def _shown(found: dict[str, list[str]]) -> Names:
    """Return names with what is the same wherever they are defined, in the order of Atmos."""
    names = []
    for name in sorted(found, key=lambda name: (name.lower(), name)):
        shared, *others = found[name]
        while shared and any(f"{one} "[: len(shared) + 1] != f"{shared} " for one in others):
            shared = shared.rpartition(" ")[0]
        names.append((name, shared))
    return names
