"""YAML as Go's yaml.v3 writes it: sorted keys, two spaces, quotes only where they are needed."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wrapper.typed import Any

# What a YAML reader, old or new, takes for something else than text.
_WORDS = frozenset(
    """~ null Null NULL true True TRUE false False FALSE y Y yes Yes YES on On ON n N no No NO off Off
    OFF .nan .NaN .NAN .inf .Inf .INF +.inf +.Inf +.INF -.inf -.Inf -.INF <<""".split()
)
_NUMBER = re.compile(
    r"[-+]?(?:0[xX][0-9a-fA-F_]+|0[bB][01_]+|0[oO]?[0-7_]+|[0-9][0-9_]*)"
    r"|[-+]?(?:\.[0-9]+|[0-9][0-9_]*(?:\.[0-9_]*)?)(?:[eE][-+]?[0-9]+)?"
    r"|[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+(?:\.[0-9_]*)?"
    r"|[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}(?:[Tt ].*)?"
)
_PLAIN = re.compile(
    r"""(?!(?:---|\.\.\.)(?:\s|\Z))      # no document mark
        (?:[^\s#,\[\]{}&*!|>'"%@`?:-]    # the first character
        |[-?:](?=[^\s]))
        (?:[^:\#]|:(?=\S)|(?<=\S)\#)*    # no `: `, no ` #`
        (?<![\s:])\Z""",
    re.X,
)
_ESCAPES = {
    "\0": "\\0", "\a": "\\a", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\v": "\\v", "\f": "\\f",
    "\r": "\\r", "\x1b": "\\e", '"': '\\"', "\\": "\\\\", "\x85": "\\N", "\xa0": "\\_",
    "\u2028": "\\L", "\u2029": "\\P",
}  # fmt: skip


def dumps(value: Any) -> str:
    """Return a value of maps, lists and scalars as a YAML document."""
    return "".join(f"{line}\n" for line in _lines(value))


def _lines(value: Any) -> list[str]:
    if isinstance(value, Mapping) and value:
        lines: list[str] = []
        for key in sorted(value, key=order):
            lines += _under(f"{_inline(key)}:", value[key])
        return lines
    if isinstance(value, list) and value:
        return [line for item in value for line in _item(item)]
    if isinstance(value, str) and "\n" in value:
        head, *body = _literal(value)
        return [head, *body]
    return [_inline(value)]


def order(key: Any) -> list[tuple[int, int, str]]:
    """Return what yaml.v3 sorts keys by: numbers in them count as numbers."""
    parts = re.findall(r"[0-9]+|[^0-9]", str(key))
    return [
        (0, int(part), "") if part[0] in "0123456789" else (2 if part.isalpha() else 1, 0, part)
        for part in parts
    ]


def _under(key: str, value: Any) -> list[str]:
    nested = isinstance(value, Mapping | list) and value
    block = isinstance(value, str) and "\n" in value
    lines = _lines(value)
    if nested:
        return [key, *_indented(lines)]
    if block:
        return [f"{key} {lines[0]}", *_indented(lines[1:])]
    return [f"{key} {lines[0]}"]


def _item(value: Any) -> list[str]:
    head, *rest = _lines(value)
    return [f"- {head}", *_indented(rest)]


def _indented(lines: list[str]) -> list[str]:
    return [f"  {line}" if line else line for line in lines]


def _literal(text: str) -> list[str]:
    """Return text of several lines as a literal block, or quoted when that cannot hold it."""
    if any(c in text for c in "\t\r\x00") or not text.replace("\n", "").isprintable():
        return [_quoted(text)]
    if text[0] in " \n":
        return [_quoted(text)]
    body = text.split("\n")
    if not text.endswith("\n"):
        return ["|-", *body]
    body.pop()
    return ["|+" if text.endswith("\n\n") else "|", *body]


def _inline(value: Any) -> str:
    if isinstance(value, str):
        return _scalar(value)
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return number(value)
    if isinstance(value, Mapping):
        return "{}"
    return "[]" if isinstance(value, list) else str(value)


def _scalar(text: str) -> str:
    if not text or text in _WORDS or _NUMBER.fullmatch(text):
        return f'"{text}"'
    if not text.isprintable():
        return _quoted(text)
    if _PLAIN.match(text):
        return text
    return "'" + text.replace("'", "''") + "'"


def _quoted(text: str) -> str:
    return '"' + "".join(_ESCAPES.get(c) or _visible(c) for c in text) + '"'


def _visible(character: str) -> str:
    if character.isprintable():
        return character
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02X}"
    return f"\\u{code:04X}" if code < 0x10000 else f"\\U{code:08X}"


def number(value: float) -> str:
    """Return a float as Go's `%g` prints it: `1`, `1.5`, `1e+06`, `1e-05`; as YAML if not finite."""
    if value != value:
        return ".nan"
    if value in (float("inf"), float("-inf")):
        return ".inf" if value > 0 else "-.inf"
    sign = "-" if str(value)[0] == "-" else ""
    digits, _, exponent = f"{abs(value)!r}".partition("e")
    whole, _, part = digits.partition(".")
    part = "" if part == "0" else part
    point = len(whole) + int(exponent or 0)
    figures = (whole + part).lstrip("0")
    point -= len(whole + part) - len(figures) if figures else 0
    figures = figures.rstrip("0")
    if not figures:
        return f"{sign}0"
    if not -4 <= point - 1 < 6:
        rest = f".{figures[1:]}" if figures[1:] else ""
        power = point - 1
        return f"{sign}{figures[0]}{rest}e{'-' if power < 0 else '+'}{abs(power):02}"
    if point <= 0:
        return f"{sign}0.{'0' * -point}{figures}"
    if len(figures) <= point:
        return f"{sign}{figures}{'0' * (point - len(figures))}"
    return f"{sign}{figures[:point]}.{figures[point:]}"
