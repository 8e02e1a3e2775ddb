"""Consent: whether the configuration of a directory may change a shell, and who said so."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence

from wrapper import consents, files, owners, sha256
from wrapper.consents import Consent
from wrapper.errors import ConfigError, StoreError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

# Contents of one directory that stay allowed: branches, profiles and pins come and go.
_KEPT = 128
PREFIXES = "trusted"


class Closure(NamedTuple):
    """Everything that decides what a directory does to a shell.

    `root`: real path of the directory that consent is for. `files`: absolute path -> SHA-256 in hex
    of the bytes that were parsed. `settings`: dotted key -> JSON text, secrets as a mark. `tree`:
    real path that links must not leave, '' for `root`. `stats`: the files as they were when open.
    """

    root: str
    files: Mapping[str, str]
    settings: Mapping[str, str]
    tree: str = ""
    stats: Mapping[str, os.stat_result] = {}


class Part(NamedTuple):
    """What the manifests of one stack say about `auth`; fields as in Closure."""

    stack: str
    files: Mapping[str, str]
    settings: Mapping[str, str]
    stats: Mapping[str, os.stat_result] = {}


class Verdict(NamedTuple):
    """Whether a closure is allowed.

    `state`: allowed, denied, unknown, changed, unsafe. `by`: consent or prefix. `changes`: what
    changed in meaning; `files`: what changed, came or went, for `unsafe` which. `reason`: why it is
    unsafe, or why the user's list does not count. `watch`: paths whose change can change this.
    `stack`: whose manifests it is about, '' for the repository.
    """

    state: str
    by: str = ""
    changes: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    reason: str = ""
    watch: tuple[str, ...] = ()
    stack: str = ""


def verdict(closure: Closure, world: World) -> Verdict:
    """Return whether a closure may change a shell; reads nothing of the repository again."""
    store, listing = consents.store_of(world, closure.root), prefix_file(world)
    watch = (store, os.path.dirname(store), listing, os.path.dirname(listing))
    try:
        known = consents.find(consents.records(store), closure.root)
    except StoreError as error:
        return Verdict("unknown", reason=error.message, watch=watch)
    if known is not None and known.state == "denied":
        return Verdict("denied", "consent", watch=watch)
    faults = check(closure, world)
    if faults:
        paths = tuple(dict.fromkeys(fault.path for fault in faults))
        return Verdict("unsafe", files=paths, reason=str(faults[0]), watch=watch)
    if known is not None and consents.here(known) and digest(closure) in known.accepted:
        return Verdict("allowed", "consent", watch=watch)
    trusted, ignored = _by_prefix(closure, world)
    if trusted:
        return Verdict("allowed", "prefix", watch=watch)
    if known is None or not known.accepted:
        return Verdict("unknown", reason=ignored, watch=watch)
    return _changed(closure, store, known)._replace(reason=ignored, watch=watch)


def stacks(closure: Closure, world: World) -> Mapping[str, Any]:
    """Return the digests that were allowed, by stack: for asking of many of them."""
    return consents.read_map(consents.marks(consents.store_of(world, closure.root)))


def of_stack(
    closure: Closure, part: Part, world: World, known: Mapping[str, Any] | None = None
) -> Verdict:
    """Return whether a stack's manifests may change a shell; the repository itself is allowed.

    `known` is what `stacks` gave.
    """
    store = consents.store_of(world, closure.root)
    marks = consents.marks(store)
    watch = (marks, os.path.dirname(store))
    whole = closure._replace(files=part.files, stats=part.stats)
    faults = check(whole, world)
    if faults:
        paths = tuple(dict.fromkeys(fault.path for fault in faults))
        return Verdict("unsafe", "", (), paths, str(faults[0]), watch, part.stack)
    accepted = (consents.read_map(marks) if known is None else known).get(part.stack)
    if isinstance(accepted, list) and part_digest(closure, part) in accepted:
        return Verdict("allowed", "consent", watch=watch, stack=part.stack)
    if _by_prefix(whole, world)[0]:
        return Verdict("allowed", "prefix", watch=watch, stack=part.stack)
    if not accepted:
        return Verdict("unknown", watch=watch, stack=part.stack)
    before = consents.read_map(f"{marks}.meaning").get(part.stack)
    names, changes = _differences(before if isinstance(before, dict) else {}, whole, part.settings)
    return Verdict("changed", "", changes, tuple(names), "", watch, part.stack)


def denied(root: str, world: World) -> bool:
    """Say whether the user denied a directory: for one whose configuration cannot be read."""
    try:
        known = consents.find(consents.records(consents.store_of(world, root)), root)
    except StoreError:
        return False
    return known is not None and known.state == "denied"


def check(closure: Closure, world: World) -> list[owners.Fault]:
    """Return why files of a closure could be changed by somebody else; empty when they could not."""
    tree = closure.tree or closure.root
    return owners.faults(closure.root, sorted(closure.files), closure.stats, tree, world.environ)


def allow(closure: Closure, world: World, parts: Sequence[Part] = ()) -> None:
    """Remember consent to exactly this closure, and to what manifests of stacks say besides.

    Raises: ConfigError for what is unsafe, StoreError.
    """
    for one in (closure, *(closure._replace(files=p.files, stats=p.stats) for p in parts)):
        faults = check(one, world)
        if faults:
            raise ConfigError(
                f"not allowed: {faults[0]}",
                at=[fault.path for fault in faults],
                hint=faults[0].advice,
            )
    store, mark = consents.store_of(world, closure.root), digest(closure)
    with consents.changing(world):
        records = consents.records(store)
        known = consents.find(records, closure.root)
        before = known.accepted if known is not None and consents.here(known) else ()
        accepted = (*(one for one in before if one != mark), mark)[-_KEPT:]
        consents.forget(store, set(before) - set(accepted))
        meaning = {"files": _named(closure), "settings": dict(closure.settings)}
        files.write_atomic(consents.meaning(store, mark), json.dumps(meaning).encode())
        _allow_parts(store, closure, parts, again=bool(before))
        consents.put(store, records, known, consents.made(closure.root, "allowed", world, accepted))


def _allow_parts(store: str, closure: Closure, parts: Sequence[Part], *, again: bool) -> None:
    """Add the digests of stacks; without consent before, those of another directory are dropped."""
    marks = consents.marks(store)
    accepted, meanings = (
        (consents.read_map(marks), consents.read_map(f"{marks}.meaning")) if again else ({}, {})
    )
    for part in parts:
        mark = part_digest(closure, part)
        known = accepted.get(part.stack)
        before = [one for one in known if one != mark] if isinstance(known, list) else []
        accepted[part.stack] = [*before, mark][-_KEPT:]
        whole = closure._replace(files=part.files)
        meanings[part.stack] = {"files": _named(whole), "settings": dict(part.settings)}
    if accepted:
        files.write_atomic(f"{marks}.meaning", json.dumps(meanings).encode())
        files.write_atomic(marks, json.dumps(accepted).encode())
    elif not again:
        consents.forget(store, set(), stacks=True)


def deny(root: str, world: World) -> None:
    """Remember that a directory is to be left alone, silently. Raises: StoreError."""
    store = consents.store_of(world, root)
    with consents.changing(world):
        records = consents.records(store)
        known = consents.find(records, root)
        consents.forget(store, set(known.accepted if known is not None else ()), stacks=True)
        consents.put(store, records, known, consents.made(root, "denied", world, ()))


def revoke(root: str, world: World) -> bool:
    """Forget what was said of a directory; say whether anything was. Raises: StoreError."""
    store = consents.store_of(world, root)
    with consents.changing(world):
        records = consents.records(store)
        known = consents.find(records, root)
        if known is None:
            return False
        consents.forget(store, set(known.accepted), stacks=True)
        consents.put(store, records, known, None)
    return True


def listed(world: World) -> list[Consent]:
    """Return everything that was said, by directory. Raises: StoreError."""
    found = [one for store in consents.stores(world) for one in consents.records(store)]
    return sorted(found, key=lambda one: one.root)


def prune(world: World) -> list[str]:
    """Forget directories that are gone or in whose place another is; return them.

    A denial holds for whatever has the name, so it goes only with the name. Raises: StoreError.
    """
    gone = []
    for one in listed(world):
        try:
            os.stat(one.root)
            stale = one.state == "allowed" and not consents.here(one)
        except (FileNotFoundError, NotADirectoryError):
            stale = True
        except OSError:
            stale = False
        if stale and revoke(one.root, world):
            gone.append(one.root)
    return gone


def digest(closure: Closure) -> str:
    """Return the name of a content: paths and digests of all its files."""
    canonical = json.dumps(
        [consents.FORMAT, sorted(_named(closure).items())], separators=(",", ":")
    )
    return sha256.hexdigest(canonical.encode())


def part_digest(closure: Closure, part: Part) -> str:
    """Return the name of what a stack's manifests say: its name, files with digests, the meaning."""
    named = sorted(_named(closure._replace(files=part.files)).items())
    said = [
        consents.FORMAT,
        "stack",
        closure.root,
        part.stack,
        named,
        sorted(part.settings.items()),
    ]
    return sha256.hexdigest(json.dumps(said, separators=(",", ":")).encode())


def prefix_file(world: World) -> str:
    """Return the file in which the user lists directories to trust, one on each line."""
    return os.path.join(os.path.abspath(files.config_dir(world.environ)), PREFIXES)


def _named(closure: Closure) -> dict[str, str]:
    """Return the files' digests; paths in the tree from the root, so that its spelling is free."""
    tree = closure.tree or closure.root
    return {
        os.path.relpath(path, closure.root) if owners.below(path, tree) else path: mark
        for path, mark in closure.files.items()
    }


def _by_prefix(closure: Closure, world: World) -> tuple[bool, str]:
    """Say whether the user's list has the closure's directory, else why the list does not count."""
    listing = prefix_file(world)
    try:
        lines = owners.read_own(listing, world.environ)
    except ConfigError as error:
        return False, f"{listing} does not count: {error.message}"
    trusted = []
    for line in lines:
        path = os.path.join(world.home, line[2:]) if line.startswith("~/") else line
        if os.path.isabs(path):
            trusted.append(os.path.realpath(path))
    if not any(owners.within(closure.root, prefix) for prefix in trusted):
        return False, ""
    own = (
        os.path.join(world.home, ".atmos"),
        files.atmos_dir(world.environ, "CONFIG"),
        "/usr/local/etc/atmos",
    )
    inside = [*trusted, *own]
    return all(any(owners.within(f, p) for p in inside) for f in closure.files), ""


def _changed(closure: Closure, store: str, known: Consent) -> Verdict:
    """Return what is other than in the content allowed last."""
    before = consents.read_map(consents.meaning(store, known.accepted[-1]))
    names, changes = _differences(before, closure, closure.settings)
    if not consents.here(known):
        names.append(f"new: another directory is at {closure.root}")
    return Verdict("changed", changes=changes, files=tuple(names))


def _differences(
    before: Mapping[str, Any], closure: Closure, settings: Mapping[str, str]
) -> tuple[list[str], tuple[str, ...]]:
    """Return which files and which settings are other than in what was allowed."""
    old, new = before.get("files") or {}, _named(closure)
    names = [f"changed: {path}" for path in sorted(new) if path in old and old[path] != new[path]]
    names += [f"new: {path}" for path in sorted(new) if path not in old]
    names += [f"gone: {path}" for path in sorted(old) if path not in new]
    return names, meaning_changes(before.get("settings") or {}, settings)


def meaning_changes(old: Mapping[str, str], new: Mapping[str, str]) -> tuple[str, ...]:
    """Return one text for each setting that is other, as `prod.principal.assume_role: X → Y`."""
    return tuple(
        f"{key.removeprefix('auth.identities.')}: {_shown(old.get(key))} → {_shown(new.get(key))}"
        for key in sorted({*old, *new})
        if old.get(key) != new.get(key)
    )


def _shown(text: str | None) -> str:
    """Return a setting as it is shown: plain words bare, everything else as JSON."""
    if text is None:
        return "(none)"
    bare = text[1:-1]
    plain = text.startswith('"') and "\\" not in bare and " " not in bare and bare.isprintable()
    return bare if plain and bare else text
