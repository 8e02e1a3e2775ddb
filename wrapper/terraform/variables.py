"""Which variables a Terraform module declares sensitive, by a scan of its files."""

from __future__ import annotations

import os
import re

from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_TOKEN = re.compile(
    r"""
    (?P<space>[ \t\r]+)
  | (?P<line>\n)
  | (?P<comment>\#[^\n]*|//[^\n]*|/\*.*?(?:\*/|\Z))
  | (?P<heredoc><<-?[ \t]*(?P<mark>[A-Za-z_][\w-]*)[ \t]*\r?\n)
  | (?P<name>[^\W\d][\w-]*)
  | (?P<quote>")
  | (?P<sign>.)
    """,
    re.VERBOSE | re.DOTALL,
)
_OPEN = {"{": "}", "[": "]", "(": ")"}


def sensitive(directory: str) -> frozenset[str]:
    """Return the names of the root module's variables with `sensitive = true`.

    Reads `*.tf`, `*.tofu` and their JSON forms of one directory; a file that cannot be read or
    parsed declares nothing here (Terraform itself will tell of it).
    Source: reference/atmos-stacks.md 5.3.
    """
    found: set[str] = set()
    try:
        names = sorted(os.listdir(directory))
    except OSError:
        return frozenset()
    for name in names:
        if not name.endswith((".tf", ".tofu", ".tf.json", ".tofu.json")):
            continue
        try:
            with open(os.path.join(directory, name), encoding="utf-8", errors="replace") as stream:
                text = stream.read()
        except OSError:
            continue
        if "sensitive" in text:
            found |= in_json(text) if name.endswith(".json") else in_hcl(text)
    return frozenset(found)


def in_json(text: str) -> set[str]:
    """Return the sensitive variables that a JSON module file declares."""
    import json

    try:
        data = json.loads(text)
    except ValueError:
        return set()
    sections = data.get("variable") if isinstance(data, dict) else None
    found: set[str] = set()
    for section in sections if isinstance(sections, list) else [sections]:
        for name, bodies in section.items() if isinstance(section, dict) else ():
            for body in bodies if isinstance(bodies, list) else [bodies]:
                if isinstance(body, dict) and body.get("sensitive") in (True, "true"):
                    found.add(name)
    return found


def in_hcl(text: str) -> set[str]:
    """Return the sensitive variables that an HCL module file declares."""
    found: set[str] = set()
    block: list[str] = []  # the words since the last line break at top level: type, labels
    closers: list[str] = []
    variable = ""
    body: list[str] = []  # the words of the current line of a variable's own body
    for sign in _tokens(text):
        if sign == "\n" or (sign == "}" and len(closers) == 1):
            if len(closers) == 1 and variable and body == ["sensitive", "=", "true"]:
                found.add(variable)
            body = []
        if sign == "\n":
            if not closers:
                block = []
            continue
        if sign in _OPEN:
            if not closers and sign == "{":
                named = len(block) == 2 and block[0] == "variable"
                variable = block[1].strip('"') if named else ""
            closers.append(_OPEN[sign])
        elif closers and sign == closers[-1]:
            closers.pop()
            if not closers:
                block, variable = [], ""
                continue
        if not closers:
            block.append(sign)
        elif len(closers) == 1 and not (sign == "{" and not body):
            body.append(sign)
    return found


def _tokens(text: str) -> Iterator[str]:
    """Yield names, signs, whole strings and line breaks; comments and here-documents are passed."""
    place = 0
    while place < len(text):
        match = _TOKEN.match(text, place)
        if match is None:
            return
        place = match.end()
        if match["heredoc"]:
            end = re.compile(rf"^[ \t]*{re.escape(match['mark'])}[ \t]*\r?$", re.MULTILINE)
            closing = end.search(text, place)
            place = closing.end() if closing else len(text)
            yield "<<"
        elif match["quote"]:
            end_of_string = _string_end(text, place)
            yield text[place - 1 : end_of_string]
            place = end_of_string
        elif match["line"]:
            yield "\n"
        elif not match["space"] and not match["comment"]:
            yield match.group()


def _string_end(text: str, place: int) -> int:
    """Return the index behind the quote that ends a string; `${…}` and `%{…}` may hold strings."""
    while place < len(text):
        character = text[place]
        if character == "\\":
            place += 2
        elif character == '"':
            return place + 1
        elif text[place : place + 3] in ("$${", "%%{"):
            place += 3
        elif text[place : place + 2] in ("${", "%{"):
            place = _template_end(text, place + 2)
        elif character == "\n":
            return place
        else:
            place += 1
    return place


def _template_end(text: str, place: int) -> int:
    depth = 1
    while place < len(text) and depth:
        character = text[place]
        if character == '"':
            place = _string_end(text, place + 1)
            continue
        depth += {"{": 1, "}": -1}.get(character, 0)
        place += 1
    return place
