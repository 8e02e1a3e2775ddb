"""HCL as HashiCorp's own writer lays it out: sorted keys, two spaces, `=` below each other."""

from __future__ import annotations

import re
from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.terraform.gojson import number
from wrapper.typed import Any

# Blocks of Terraform's language whose first keys are labels, and how many.
_LABELLED = {"variable": 1, "output": 1, "provider": 1, "module": 1, "resource": 2, "data": 2}
_NAME = re.compile(r"[^\W\d][\w-]*")
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}
_SPECIAL = re.compile(r'[\x00-\x1f\x7f"\\]|[$%](?=\{)')


def attributes(values: Mapping[str, Any]) -> bytes:
    """Return a file of attributes, such as a `.tfvars`: maps are objects."""
    lines: list[str] = []
    for key in sorted(values, key=str):
        lines += f"{key} = {expression(values[key])}".split("\n")
    return _laid_out(lines)


def blocks(values: Mapping[str, Any]) -> bytes:
    """Return a file of blocks, such as a `.tf`: maps are blocks, also those in a block.

    The labels of `resource`, `variable` and their like are the keys below them.
    Raises: StackError for one that has no map below a label.
    """
    return _laid_out(_body(values, _LABELLED))


def block(name: str, labels: tuple[str, ...], values: Mapping[str, Any]) -> list[str]:
    """Return the lines of one block with attributes, not laid out yet."""
    lines: list[str] = []
    for key in sorted(values, key=str):
        lines += f"{key} = {expression(values[key])}".split("\n")
    return [_head(name, labels), *lines, "}"]


def document(lines: list[str]) -> bytes:
    """Return lines, such as those of `block`, as a file."""
    return _laid_out(lines)


def _head(name: str, labels: tuple[str, ...]) -> str:
    return " ".join((name, *map(_string, labels), "{"))


def _body(values: Mapping[str, Any], labelled: Mapping[str, int]) -> list[str]:
    lines: list[str] = []
    for key in sorted(values, key=str):
        value = values[key]
        if not isinstance(value, Mapping):
            lines += f"{key} = {expression(value)}".split("\n")
        elif key in labelled:
            lines += _with_labels(str(key), (), value, labelled[key])
        else:
            # As Atmos: labels are known at the top and in plain blocks, not in labelled ones.
            lines += [_head(str(key), ()), *_body(value, labelled), "}"]
    return lines


def _with_labels(
    name: str, labels: tuple[str, ...], value: Mapping[str, Any], missing: int
) -> list[str]:
    if not missing:
        return [_head(name, labels), *_body(value, {}), "}"]
    lines: list[str] = []
    for label in sorted(value, key=str):
        if not isinstance(value[label], Mapping):
            path = ".".join((name, *labels, str(label)))
            raise StackError(f"{path} is a block and needs a map")
        lines += _with_labels(name, (*labels, str(label)), value[label], missing - 1)
    return lines


def expression(value: Any) -> str:
    """Return a value as an expression, its lines not indented. Raises: StackError."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return _plain(value)
    if isinstance(value, Mapping):
        if not value:
            return "{}"
        lines = [f"{name(str(key))} = {expression(value[key])}" for key in sorted(value, key=str)]
        return "\n".join(("{", *lines, "}"))
    if isinstance(value, list | tuple):
        return f"[{', '.join(map(expression, value))}]"
    return _string(str(value))


def _plain(value: float) -> str:
    """Return a number without an exponent. Raises: StackError for infinity and not-a-number."""
    text = number(value)
    if "e" not in text:
        return text
    from decimal import Decimal

    return format(Decimal(text), "f")


def name(text: str) -> str:
    """Return a key of an object, quoted where it has to be."""
    return text if _NAME.fullmatch(text) else _string(text)


def _string(text: str) -> str:
    return '"' + _SPECIAL.sub(_escaped, text) + '"'


def _escaped(match: re.Match[str]) -> str:
    character = match.group()
    if character in "$%":
        return character * 2
    return _ESCAPES.get(character) or f"\\u{ord(character):04x}"


def _laid_out(lines: list[str]) -> bytes:
    """Return the lines indented by their brackets, neighbours' `=` below each other."""
    made: list[str] = []
    open_ones: list[int] = []
    chain: list[tuple[str, str, str]] = []

    def close() -> None:
        width = max((len(left) for _, left, _ in chain), default=0)
        made.extend(f"{margin}{left:<{width}} = {right}" for margin, left, right in chain)
        chain.clear()

    for line in lines:
        net = _net(line)
        _close(open_ones, -net)
        margin = "  " * len(open_ones)
        if net > 0:
            open_ones.append(net)
        left, equals, right = _halves(line)
        if equals and not net:
            chain.append((margin, left, right))
            continue
        close()
        made.append(margin + line)
    close()
    return "".join(f"{line}\n" for line in made).encode()


def _close(open_ones: list[int], closed: int) -> None:
    """Take as many brackets from those that are open: a line that opened two closes with two."""
    while closed > 0 and open_ones:
        last = open_ones.pop()
        if last > closed:
            open_ones.append(last - closed)
        closed -= last


def _net(line: str) -> int:
    bare = re.sub(r'"(?:[^"\\]|\\.)*"', "", line)
    return sum(bare.count(mark) for mark in "{[") - sum(bare.count(mark) for mark in "}]")


def _halves(line: str) -> tuple[str, str, str]:
    """Return what stands before and behind the first `=` outside of texts."""
    found = re.match(r'((?:"(?:[^"\\]|\\.)*"|[^"=])*?) = (.*)', line, re.S)
    return (found[1], "=", found[2]) if found else (line, "", "")
