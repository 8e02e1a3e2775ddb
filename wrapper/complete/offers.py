"""Which names are offered at a place."""

from __future__ import annotations

from wrapper.complete import flags, place, stored
from wrapper.complete.place import Place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

Names = list[tuple[str, str]]
# YAML functions that `--skip` may name.
FUNCTIONS = (
    "aws.account_id", "aws.caller_identity_arn", "aws.region", "env", "exec", "include", "random",
    "secret", "store", "store.get", "template", "terraform.output", "terraform.state",
)  # fmt: skip
# Longer names nobody types, and a terminal that lists one shows nothing else.
_LONGEST = 1000
_AS_SHELL = {"file": "files", "dir": "dirs", "program": "program", "command": "command"}


class Offer:
    """Names with what they are, each a whole word; `more`: what the shell offers instead."""

    def __init__(self, names: Names, more: str = "names") -> None:
        self.names = names
        self.more = more


def at(found: Place) -> Offer:
    """Return what is offered at a place: what holds the text typed so far, in any case."""
    kind = found.kind
    if kind == "command" and found.program_at == found.at and not found.program:
        return Offer([], "program")
    if kind in _AS_SHELL:
        return Offer([], _AS_SHELL[kind])
    if kind == "":
        return Offer([])
    if kind == "custom":
        return _custom(found)
    taken: list[str] = []
    several = kind.endswith("*")
    if several:
        kind = kind[:-1]
        before, comma, found.value = found.value.rpartition(",")
        found.head += before + comma
        taken = before.split(",")
    names = _of_kind(kind, found)
    if several:
        names = [(name, about) for name, about in names if name not in taken and "," not in name]
    if kind == "profile" and not several:
        names = [pair for pair in names if "," not in pair[0]]
    asked = found.value.lower()
    return Offer(
        [
            (found.head + name, about)
            for name, about in names
            if name and len(name) <= _LONGEST and asked in name.lower() and name.isprintable()
        ]
    )


def _of_kind(kind: str, found: Place) -> Names:
    if kind == "commands":
        custom = [(n, c["about"]) for n, c in stored.names(found, "commands").items()]
        known = place.commands()
        met = {name for name, _ in known}
        return known + [pair for pair in custom if pair[0] not in met]
    if kind == "words":
        return found.choices
    if kind == "flags":
        return _flags(found)
    if kind == "function":
        return [(name, "") for name in FUNCTIONS]
    if kind == "stack":
        return [(name, "") for name in stored.stacks(found, found.component)]
    if kind == "component":
        names = [(name, "") for name in stored.components(found, found.stack)]
        words = found.choices if found.kind == "component" else []
        return [*words, *names]
    if kind == "used":
        stacks = [(name, "stack") for name in stored.stacks(found, "")]
        return [("-", "the one before"), *stored.names(found, "identities"), *stacks]
    lists = {
        "identity": "identities", "profile": "profiles", "provider": "providers",
        "workflow": "workflows", "workflow-file": "workflow-files",
    }  # fmt: skip
    if kind == "identity" and found.kind == "identity":
        return stored.identities(found)
    if kind in lists:
        return list(stored.names(found, lists[kind]))
    return [(word, "") for word in kind.split("|")]


def _flags(found: Place) -> Names:
    typed = found.values
    names: Names = []
    for long, short, takes, kind, about in place.of(found.path):
        if long in typed and long not in flags.MANY:
            continue
        equals = long[:2] != "--" and takes == "value"
        truth = long[:2] != "--" and kind == flags.TRUTH
        name = long + "=" if equals or truth or takes == "attached" else long
        names.append((name, about))
        if short and found.value[:2] != "--":
            names.append((short, about))
    if found.path and found.path[0] not in place.known():
        names += _custom_flags(found)
    start = found.value
    return [pair for pair in names if pair[0].startswith(start)]


def _command(found: Place, words: list[str]) -> Any:
    """Return the command of atmos.yaml that words name, None if there is none."""
    command = stored.names(found, "commands").get(words[0])
    for word in words[1:] if command is not None else ():
        command = command["commands"].get(word, command)
    return command


def _custom_flags(found: Place) -> Names:
    command = _command(found, [*found.path, *found.arguments])
    return list(command["flags"]) if command is not None else []


def _custom(found: Place) -> Offer:
    """Return what a command of atmos.yaml takes at a place behind it; file names if there is none."""
    command = _command(found, [*found.path, *found.arguments[:-1]])
    if command is None:
        return Offer([], "files")
    below = [(name, one["about"]) for name, one in command["commands"].items()]
    asked = found.value.lower()
    return Offer([p for p in below if asked in p[0].lower()], "names" if below else "files")
