"""YAML in: scalars as Go's yaml.v3 reads them, every value with its place.

Source: reference/atmos-stacks.md 3.3.
"""

from __future__ import annotations

import binascii
import math
import re
from collections.abc import Callable

import yaml

from wrapper.errors import ConfigError, Location
from wrapper.merge import UNSET, Append, deep_merge
from wrapper.typed import Any, NamedTuple
from wrapper.yamlnodes import MAX_DEPTH, compose

Path = tuple[str | int, ...]
# Called for a node with a tag of its own (`!env`): tag, plain value, place. Returns the value.
TagReader = Callable[[str, Any, Location], Any]

_MAX_NODES = 500_000
_WORDS: dict[str, Any] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
    **dict.fromkeys((".nan", ".NaN", ".NAN"), float("nan")),
    **dict.fromkeys((".inf", ".Inf", ".INF", "+.inf", "+.Inf", "+.INF"), float("inf")),
    **dict.fromkeys(("-.inf", "-.Inf", "-.INF"), float("-inf")),
}
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_INTEGER = re.compile(
    r"[-+]?(?:0[xX](?P<x>[0-9a-fA-F]+)|0[bB](?P<b>[01]+)|0[oO]?(?P<o>[0-7]+)|(?P<d>0|[1-9][0-9]*))\Z"
)
_DATE = re.compile(r"([0-9]{4})-([0-9]{1,2})-([0-9]{1,2})\Z")
# Longer than any integer of 64 bits in any base.
_INTEGER_LENGTH = 80
_STANDARD_TYPES: dict[str, type] = {
    "int": int,
    "float": float,
    "bool": bool,
    "null": type(None),
    "binary": str,
}
_STANDARD = "tag:yaml.org,2002:"


class Doc(NamedTuple):
    """One parsed file: plain data (maps with string keys, lists, scalars) and where it stands."""

    data: Any
    path: str
    text: bytes

    def where(self, key_path: Path) -> Location:
        """Return the place of a key, or of the nearest enclosing one that the file has."""
        return locate(self.text, self.path, key_path)


def plain_tags(tag: str, value: Any, at: Location) -> Any:
    """Keep a YAML function as text, as Atmos does between parsing and evaluation."""
    if tag == "!append":
        if not isinstance(value, list):
            raise ConfigError("!append needs a list", at=at)
        return Append(value)
    if tag == "!unset":
        return UNSET
    if isinstance(value, str):
        return f"{tag} {value}".rstrip()
    raise ConfigError(f"{tag} takes text, not a {_kind(value)}", at=at)


def load(text: bytes, path: str, tags: TagReader = plain_tags, key_delimiter: str = "") -> Doc:
    """Parse the first document of a file; an empty file gives None.

    With a `key_delimiter` such as `.` an unquoted key `a.b: 1` means `a: {b: 1}`.

    Raises: ConfigError with the place for bad YAML, duplicate keys, excessive nesting or aliases.
    Source: reference/atmos-stacks.md 3.3 (YAML facts).
    """
    node = compose(text, path)
    data = None if node is None else _Builder(path, tags, key_delimiter).build(node, 0)
    return Doc(data, path, text)


def locate(text: bytes, path: str, key_path: Path) -> Location:
    """Return the place of a key path in a file; what is missing falls back to its parent."""
    return locator(text, path)(key_path)


def locator(text: bytes, path: str) -> Callable[[Path], Location]:
    """Return a function as `locate`, for many key paths of one file, which is parsed once."""
    try:
        root = compose(text, path)
    except ConfigError:
        root = None

    def find(key_path: Path) -> Location:
        node = root
        if node is None:
            return Location(path, 1, 1)
        mark = node.start_mark
        for step in key_path:
            found = _child(node, step)
            if found is None:
                break
            mark, node = found
        return Location(path, mark.line + 1, mark.column + 1)

    return find


def places(text: bytes, path: str, under: Path, depth: int) -> dict[tuple[str, ...], Location]:
    """Return the place of each key path of a valid file that begins with `under`.

    So many steps deep; only what stands there itself, not what `<<` brings.
    """
    node = compose(text, path)
    for step in under:
        found = None if node is None else _child(node, step)
        node = found[1] if found else None
    places: dict[tuple[str, ...], Location] = {}
    todo = [(tuple(map(str, under)), node, depth)]
    while todo:
        keys, node, left = todo.pop()
        if not left or not isinstance(node, yaml.MappingNode):
            continue
        for key, value in node.value:
            if key.value != "<<":
                below = (*keys, key.value)
                mark = key.start_mark
                places[below] = Location(path, mark.line + 1, mark.column + 1)
                todo.append((below, value, left - 1))
    return places


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    """Return the places of a child: of its key (or item) and of its value.

    Without an exact match a key in other case counts, and what `<<` brings.
    """
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        if 0 <= step < len(node.value):
            return node.value[step].start_mark, node.value[step]
        return None
    if not isinstance(node, yaml.MappingNode):
        return None
    folded: list[tuple[Any, Any]] = []
    merged: list[Any] = []
    for key, value in node.value:
        if key.value == step:
            return key.start_mark, value
        if key.value == "<<":
            merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        elif isinstance(key.value, str) and key.value.lower() == str(step).lower():
            folded.append((key.start_mark, value))
    if folded:
        return folded[0]
    return next((found for value in merged if (found := _child(value, step))), None)


class _Builder:
    """Turns nodes into data; each node once, so aliases share what they name."""

    def __init__(self, path: str, tags: TagReader, key_delimiter: str) -> None:
        self.path = path
        self.tags = tags
        self.key_delimiter = key_delimiter
        self.done: dict[int, Any] = {}
        self.size: dict[int, int] = {}
        self.height: dict[int, int] = {}
        self.open: set[int] = set()

    def at(self, node: Any) -> Location:
        mark = node.start_mark
        return Location(self.path, mark.line + 1, mark.column + 1)

    def build(self, node: Any, depth: int) -> Any:
        tag = node.tag
        if tag == "plain":
            return scalar(node.value)
        if tag == "quoted":
            return node.value
        key = id(node)
        if key in self.done:
            return self.done[key]
        if key in self.open:
            raise ConfigError("an alias contains itself", at=self.at(node))
        if depth > MAX_DEPTH:
            raise ConfigError("nested too deeply", at=self.at(node))
        self.open.add(key)
        value = self._tagged(node, tag, depth)
        self.open.discard(key)
        self.done[key] = value
        return value

    def _tagged(self, node: Any, tag: str, depth: int) -> Any:
        value: Any
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, depth)
            self._measure(node, [value for _, value in node.value])
        elif isinstance(node, yaml.SequenceNode):
            value = [self.build(item, depth + 1) for item in node.value]
            self._measure(node, node.value)
        else:
            value = node.value
        if tag in ("", "!"):
            return value
        if not tag.startswith(_STANDARD):
            return self.tags(tag, value, self.at(node))
        return self._standard(tag[len(_STANDARD) :], value, node)

    def _standard(self, name: str, value: Any, node: Any) -> Any:
        """Return a value with a `!!` tag; collections and unknown tags stay as they are."""
        if name == "timestamp":
            return {}  # as Atmos: it cannot copy a time
        if not isinstance(value, str) or name not in _STANDARD_TYPES:
            return value
        if name == "timestamp":
            return {}  # a fault of Atmos, copied: the value is lost
        if name == "binary":
            try:
                return binascii.a2b_base64("".join(value.split()), strict_mode=True).decode()
            except ValueError as error:
                raise ConfigError("!!binary is not text in base64", at=self.at(node)) from error
        read = scalar(value)
        if name == "float" and type(read) is int:
            return float(read)
        if name == "int" and isinstance(read, float) and read.is_integer():
            return int(read)
        if type(read) is not _STANDARD_TYPES[name]:
            raise ConfigError(f'"{value}" is not of type !!{name}', at=self.at(node))
        return read

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        seen: set[str] = set()
        merged: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError("a key must be a single value", at=self.at(key_node))
            text = key_node.value
            if text in seen:
                raise ConfigError(f'the key "{text}" stands twice in one map', at=self.at(key_node))
            seen.add(text)
            if text == "<<":
                for source in self._merge_sources(value_node, depth):
                    merged = {**source, **merged}
                continue
            value = self.build(value_node, depth + 1)
            if key_node.tag != "plain":
                own[text] = value
            elif self.key_delimiter:
                own = deep_merge(own, self._nested(text, value))
            else:
                own[key_text(scalar(text), text)] = value
        return {**merged, **own} if merged else own

    def _nested(self, text: str, value: Any) -> Any:
        """Return `value` under the keys that a delimiter makes of one; empty parts make none."""
        keys = text.split(self.key_delimiter)
        if len(keys) == 1 or not all(keys):
            return {key_text(scalar(text), text): value}
        for key in reversed(keys):
            value = {key: value}
        return value

    def _merge_sources(self, node: Any, depth: int) -> list[dict[str, Any]]:
        value = self.build(node, depth + 1)
        sources = value if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                raise ConfigError(
                    "a merge key (<<) needs a map or a list of maps", at=self.at(node)
                )
        return sources

    def _measure(self, node: Any, children: list[Any]) -> None:
        """Refuse what aliases make too large or too deep for everything that walks it later."""
        size = 1 + sum(self.size.get(id(child), 1) for child in children)
        height = 1 + max((self.height.get(id(child), 0) for child in children), default=0)
        if size > _MAX_NODES:
            raise ConfigError("aliases make more than half a million values", at=self.at(node))
        if height > MAX_DEPTH + 1:
            raise ConfigError("aliases are nested too deeply", at=self.at(node))
        self.size[id(node)] = size
        self.height[id(node)] = height


def key_text(value: Any, text: str) -> str:
    """Return a key that is not a string as Atmos names it: `0x10` is `16`, a date a Go time."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    date = _DATE.match(text)
    if date:
        year, month, day = (int(part) for part in date.groups())
        if 1 <= month <= 12 and 1 <= day <= 31:
            return f"{year:04}-{month:02}-{day:02} 00:00:00 +0000 UTC"
    return text


def scalar(text: str) -> Any:
    """Return the value of a plain scalar.

    Integers beyond 2^64-1 are floats; dates stay text. Source: reference/atmos-stacks.md 3.3.
    """
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in "0123456789+-.":
        return text
    bare = text.replace("_", "") if "_" in text else text
    match = _INTEGER.match(bare) if len(bare) <= _INTEGER_LENGTH else None
    if match:
        base = {"x": 16, "b": 2, "o": 8, "d": 10}[match.lastgroup or "d"]
        number = int(match.group(match.lastgroup or "d"), base)
        if bare[0] == "-":
            number = -number
        if -(2**63) <= number < 2**64:
            return number
    if _FLOAT.match(bare):
        real = float(bare)
        return text if math.isinf(real) else real
    return text


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "map"
    if isinstance(value, list):
        return "list"
    return "single value"
