"""`--flag=true` and `--flag=false`, which Atmos takes for each of its switches."""

from __future__ import annotations

from collections.abc import Sequence

from wrapper.cli import args
from wrapper.typed import Any


def plain(command: Any, words: Sequence[str]) -> list[str]:
    """Return the words with each switch alone, or left out where it is off.

    `command` is what Typer made of the application. Raises: UsageError for a value that is neither.
    """
    switches: dict[str, bool] = {}
    found: list[str] = []
    position = 0
    while position < len(words):
        word = words[position]
        if word == "--":
            break
        members = getattr(command, "commands", None)
        if members and word in members:
            command = members[word]
            switches = {
                name: bool(param.secondary_opts)
                for param in command.params
                if getattr(param, "is_flag", False)
                for name in param.opts
            }
        name, equals, value = word.partition("=")
        if equals and name in switches:
            if args.truth(name[2:], value):
                found.append(name)
            elif switches[name]:
                found.append(f"--no-{name[2:]}")
        else:
            found.append(word)
        position += 1
    return [*found, *words[position:]]
