"""YAML in: scalars as Go's yaml.v3 reads them, every value with its place.

Source: reference/atmos-stacks.md 3.3.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any, NamedTuple

import yaml

from wrapper.errors import ConfigError, Location, WrapError
from wrapper.merge import UNSET, Append

Path = tuple[str | int, ...]
# Called for a node with a tag of its own (`!env`): tag, plain value, place. Returns the value.
TagReader = Callable[[str, Any, Location], Any]

_MAX_DEPTH = 200
_MAX_NODES = 2_000_000
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
_STANDARD = "tag:yaml.org,2002:"


class Doc(NamedTuple):
    """One parsed file: plain data (maps with string keys, lists, scalars) and where it stands."""

    data: Any
    path: str
    text: bytes

    def where(self, key_path: Path) -> Location:
        """Return the place of a key, or of the nearest enclosing one that the file has."""
        return locate(self.text, self.path, key_path)


class _Loader(yaml.CSafeLoader):
    """The C parser; implicit types are decided by `scalar`, not by PyYAML's rules."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:  # type: ignore[override]
        if kind is not yaml.ScalarNode:
            return ""
        return "plain" if implicit[0] else "quoted"


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


def load(text: bytes, path: str, tags: TagReader = plain_tags) -> Doc:
    """Parse the first document of a file; an empty file gives None.

    Raises: ConfigError with the place for bad YAML, duplicate keys, excessive nesting or aliases.
    Source: reference/atmos-stacks.md 3.3 (YAML facts).
    """
    node = _compose(text, path)
    data = None if node is None else _Builder(path, tags).build(node, 0)
    return Doc(data, path, text)


def locate(text: bytes, path: str, key_path: Path) -> Location:
    """Return the place of a key path in a file; what is missing falls back to its parent."""
    try:
        node = _compose(text, path)
    except WrapError:
        node = None
    if node is None:
        return Location(path, 1, 1)
    mark = node.start_mark
    for step in key_path:
        found = _child(node, step)
        if found is None:
            break
        mark, node = found
    return Location(path, mark.line + 1, mark.column + 1)


def _child(node: Any, step: str | int) -> tuple[Any, Any] | None:
    if isinstance(node, yaml.MappingNode):
        merged: list[Any] = []
        for key, value in node.value:
            if key.value == str(step):
                return key.start_mark, value
            if key.value == "<<":
                merged += value.value if isinstance(value, yaml.SequenceNode) else [value]
        for value in merged:
            found = _child(value, step)
            if found is not None:
                return found
    elif isinstance(node, yaml.SequenceNode) and isinstance(step, int):
        if 0 <= step < len(node.value):
            item = node.value[step]
            return item.start_mark, item
    return None


def _compose(text: bytes, path: str) -> Any:
    if text.startswith(b"\xef\xbb\xbf"):
        text = text[3:]
    _refuse_deep_flow(text, path)
    loader = None
    try:
        loader = _Loader(text)
        return loader.get_node() if loader.check_node() else None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path, 1, 1)
        raise ConfigError(f"bad YAML: {_problem(error)}", at=at) from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"bad YAML: {_problem(error)}", at=Location(path, 1, 1)) from error
    except RecursionError as error:
        raise ConfigError("nested too deeply", at=Location(path, 1, 1)) from error
    finally:
        if loader is not None:
            loader.dispose()


def _refuse_deep_flow(text: bytes, path: str) -> None:
    """Refuse runs of openers before the C parser recurses over them."""
    for opener in (b"[" * _MAX_DEPTH, b"{" * _MAX_DEPTH, b"- " * _MAX_DEPTH):
        if opener in text:
            raise ConfigError("nested too deeply", at=Location(path, 1, 1))


def _problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        parts = [part for part in (error.context, error.problem) if part]
        return ", ".join(parts) or "unreadable"
    return " ".join(str(error).split())


class _Builder:
    """Turns nodes into data; each node once, so aliases share what they name."""

    def __init__(self, path: str, tags: TagReader) -> None:
        self.path = path
        self.tags = tags
        self.done: dict[int, Any] = {}
        self.weight: dict[int, int] = {}
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
        if depth > _MAX_DEPTH:
            raise ConfigError("nested too deeply", at=self.at(node))
        self.open.add(key)
        value = self._tagged(node, tag, depth)
        self.open.discard(key)
        self.done[key] = value
        return value

    def _tagged(self, node: Any, tag: str, depth: int) -> Any:
        if isinstance(node, yaml.MappingNode):
            value = self._mapping(node, depth)
        elif isinstance(node, yaml.SequenceNode):
            value = [self.build(item, depth + 1) for item in node.value]
            self._weigh(node, node.value)
        else:
            value = node.value
        if tag in ("", "!") or (tag.startswith(_STANDARD) and not isinstance(value, str)):
            return value
        if tag.startswith(_STANDARD):
            return self._standard(tag[len(_STANDARD) :], value, node)
        if tag == "!unset" or tag == "!append" or isinstance(value, str):
            return self.tags(tag, value, self.at(node))
        return self.tags(tag, value, self.at(node))

    def _standard(self, name: str, value: str, node: Any) -> Any:
        if name == "str":
            return value
        if name == "binary":
            try:
                return base64.b64decode("".join(value.split()), validate=True).decode("utf-8", "replace")
            except binascii.Error as error:
                raise ConfigError("!!binary is not base64", at=self.at(node)) from error
        read = scalar(value)
        if name == "float" and isinstance(read, int) and not isinstance(read, bool):
            return float(read)
        if name == "int" and isinstance(read, float) and read.is_integer():
            return int(read)
        kinds: dict[str, tuple[type, ...]] = {"int": (int,), "float": (float,), "bool": (bool,), "null": (type(None),)}
        if name in kinds and not isinstance(read, kinds[name]):
            raise ConfigError(f"{value!r} is not of type !!{name}", at=self.at(node))
        return read if name in kinds else value

    def _mapping(self, node: Any, depth: int) -> dict[str, Any]:
        own: dict[str, Any] = {}
        typed: set[tuple[str, str]] = set()
        merges: list[Any] = []
        for key_node, value_node in node.value:
            if key_node.value == "<<" and isinstance(key_node, yaml.ScalarNode):
                merges.append(value_node)
                continue
            key = self._key(key_node)
            if key_node.value in own and (key_node.value, "") in typed or (key_node.value, "") in typed:
                raise ConfigError(f'the key "{key_node.value}" stands twice in one map', at=self.at(key_node))
            typed.add((key_node.value, ""))
            own[key] = self.build(value_node, depth + 1)
        self._weigh(node, [value for _, value in node.value])
        if not merges:
            return own
        merged: dict[str, Any] = {}
        for value_node in merges:
            for source in self._merge_sources(value_node, depth):
                for key, value in source.items():
                    merged.setdefault(key, value)
        merged.update(own)
        return merged

    def _merge_sources(self, node: Any, depth: int) -> list[dict[str, Any]]:
        value = self.build(node, depth + 1)
        sources = value if isinstance(value, list) else [value]
        for source in sources:
            if not isinstance(source, dict):
                raise ConfigError("a merge key (<<) needs a map or a list of maps", at=self.at(node))
        return sources

    def _key(self, node: Any) -> str:
        if not isinstance(node, yaml.ScalarNode):
            raise ConfigError("a key must be a single value", at=self.at(node))
        if node.tag != "plain":
            return str(node.value)
        return key_text(scalar(node.value), node.value)

    def _weigh(self, node: Any, children: list[Any]) -> None:
        total = 1 + sum(self.weight.get(id(child), 1) for child in children)
        if total > _MAX_NODES:
            raise ConfigError("aliases blow this up to more than two million values", at=self.at(node))
        self.weight[id(node)] = total


def key_text(value: Any, text: str) -> str:
    """Return a key that is not a string as Atmos names it: `0x10` is `16`, `1.5` is `1.5`."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() else repr(value)
    return text


def scalar(text: str) -> Any:
    """Return the value of a plain scalar.

    Integers beyond 2^64-1 are floats; dates stay text. Source: reference/atmos-stacks.md 3.3.
    """
    if text in _WORDS:
        return _WORDS[text]
    first = text[0]
    if first not in "0123456789+-.":
        return text
    if first == ".":
        return float(text) if _FLOAT.match(text) else text
    bare = text.replace("_", "") if "_" in text else text
    match = _INTEGER.match(bare)
    if match:
        number = _integer(match)
        return number if -(2**63) <= number < 2**64 else float(number)
    return float(bare) if _FLOAT.match(bare) else text


def _integer(match: re.Match[str]) -> int:
    base = {"x": 16, "b": 2, "o": 8, "d": 10}[match.lastgroup or "d"]
    number = int(match.group(match.lastgroup or "d"), base)
    return -number if match.string.startswith("-") else number


def _kind(value: Any) -> str:
    if isinstance(value, dict):
        return "map"
    if isinstance(value, list):
        return "list"
    return "single value"
