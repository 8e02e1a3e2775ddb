"""The local modules that a Terraform module calls, however far down.

Only the blocks `module` are looked at, by their brackets and strings: a file that Terraform itself
would refuse may be half written, and is no reason to stop.
"""

from __future__ import annotations

import os
import re

from wrapper.typed import Any

_TOKEN = re.compile(
    r"""(?P<comment>\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))
      | (?P<heredoc><<[-~]?(?P<word>[A-Za-z_][\w-]*)[ \t]*\r?\n.*?(?:\n[ \t]*(?P=word)(?=\r?\n|\Z)|\Z))
      | (?P<quote>")
      | (?P<open>[{(\[])
      | (?P<close>[})\]])
      | (?P<name>[A-Za-z_][\w-]*)
      | (?P<equals>=(?![=>]))
    """,
    re.X | re.S,
)
_EXTENSIONS = (".tf", ".tofu")
_LOCAL = ("./", "../")


def used(directory: str) -> set[str]:
    """Return the directories of the local modules that a module calls, and those that they call.

    All absolute; the directory itself is not among them.
    """
    found: set[str] = set()
    edge = [os.path.normpath(directory)]
    start = edge[0]
    while edge:
        one = edge.pop()
        for source in sources(one):
            target = os.path.normpath(os.path.join(one, source))
            if target not in found and target != start:
                found.add(target)
                edge.append(target)
    return found


def sources(directory: str) -> list[str]:
    """Return the local sources of the module calls in a directory, as they are written."""
    found: list[str] = []
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return []
    for name in names:
        if not name.endswith((*_EXTENSIONS, *(f"{e}.json" for e in _EXTENSIONS))):
            continue
        try:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        except OSError:
            continue
        found += _in_json(text) if name.endswith(".json") else _in_hcl(text)
    return [source for source in found if source.startswith(_LOCAL) or source in (".", "..")]


def _in_hcl(text: str) -> list[str]:
    """Return the literal `source` of each block `module "…" { … }`."""
    if "module" not in text:
        return []
    found: list[str] = []
    depth = position = 0
    inside = False
    before: list[str] = []  # what stands before this token on its level, newest last
    while (match := _TOKEN.search(text, position)) is not None:
        position = match.end()
        if match["comment"]:
            continue
        if match["open"]:
            block = depth == 0 and match[0] == "{" and len(before) > 1 and before[-2] == "module"
            inside = block if depth == 0 else inside
            depth += 1
            before = []
        elif match["close"]:
            depth = max(0, depth - 1)
            before = []
        else:
            if match["quote"]:
                position = _string_end(text, position)
                if inside and depth == 1 and before[-2:] == ["source", "="]:
                    found.append(text[match.end() : position - 1])
            before = [*before[-1:], match[0]]
    return found


def _string_end(text: str, position: int) -> int:
    """Return where a string ends whose first quote is behind us; `${…}` may hold further ones."""
    within = ["text"]
    while position < len(text) and within:
        char = text[position]
        if within[-1] == "text":
            if char == "\\":
                position += 1
            elif char == '"':
                within.pop()
            elif char == "\n" and len(within) == 1:
                return position
            elif text.startswith(("$${", "%%{"), position):
                position += 2
            elif text.startswith(("${", "%{"), position):
                within.append("code")
                position += 1
        elif char == '"':
            within.append("text")
        elif char == "{":
            within.append("code")
        elif char == "}":
            within.pop()
        position += 1
    return position


def _in_json(text: str) -> list[str]:
    import json

    try:
        calls = json.loads(text).get("module")
    except (ValueError, AttributeError, RecursionError):
        return []
    found: list[str] = []
    edge: list[Any] = [calls]
    while edge:
        one = edge.pop()
        if isinstance(one, list):
            edge += one
        elif isinstance(one, dict):
            source = one.get("source")
            if isinstance(source, str):
                found.append(source)
            else:
                edge += one.values()
    return found
