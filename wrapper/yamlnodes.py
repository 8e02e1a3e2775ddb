"""YAML text to nodes with marks, by the C parser where that is safe."""

from __future__ import annotations

import re

import yaml

from wrapper.errors import ConfigError, Location
from wrapper.typed import Any

MAX_DEPTH = 200
# A node with its marks takes 400 bytes: so many fit into the memory of any machine, and into a second.
MAX_NODES = 250_000
# The C composer recurses: text that may nest deeper than this is composed from events instead.
_FLOW_OPENERS = 1000
_BLOCK_PREFIX = re.compile(rb"^[ \t?:\x00-]{500}", re.MULTILINE)


class _Loader(yaml.CSafeLoader):
    """The C parser; implicit types are decided by `scalar`, not by PyYAML's rules."""

    def resolve(self, kind: Any, value: Any, implicit: Any) -> Any:  # noqa: ARG002
        if kind is not yaml.ScalarNode:
            return ""
        return "plain" if implicit[0] else "quoted"


_LOOK = "the cause can be lines above: an open quote or bracket, a tab, a wrong indent"


def compose(text: bytes, path: str) -> Any:
    """Return the root node of the first document of a file; None when there is none.

    Scalars have the tag `plain` or `quoted` unless they have one of their own, collections ''.
    Raises: ConfigError with the place for bad YAML and for more than 200 levels.
    """
    text = text.removeprefix(b"\xef\xbb\xbf")
    try:
        if _may_be_deep(text) or _may_be_large(text):
            return _from_events(text, path)
        try:
            return _from_c(text)
        except yaml.composer.ComposerError as error:
            if "duplicate anchor" in str(error.context):
                return _from_events(text, path)
            raise
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        at = Location(path, mark.line + 1, mark.column + 1) if mark else Location(path, 1, 1)
        raise ConfigError(f"bad YAML: {_problem(error)}", at=at, hint=_LOOK) from error
    except yaml.reader.ReaderError as error:
        raise ConfigError(f"bad YAML: {error.reason}", at=_unreadable(text, error, path)) from error


def _unreadable(text: bytes, error: yaml.reader.ReaderError, path: str) -> Location:
    """Return the place of the first byte that is not UTF-8, else of what the parser refuses."""
    position = error.position if error.position >= 0 else len(text)
    try:
        text.decode()
    except UnicodeDecodeError as wrong:
        position = wrong.start
    before = text[:position]
    column = len(before[before.rfind(b"\n") + 1 :].decode("utf-8", "replace")) + 1
    return Location(path, before.count(b"\n") + 1, column)


def _from_c(text: bytes) -> Any:
    loader = _Loader(text)
    try:
        return loader.get_node() if loader.check_node() else None
    finally:
        loader.dispose()


def _may_be_deep(text: bytes) -> bool:
    openers = text.count(b"[") + text.count(b"{")
    return openers > _FLOW_OPENERS or _BLOCK_PREFIX.search(text) is not None


def _may_be_large(text: bytes) -> bool:
    return text.count(b":") * 2 + text.count(b",") + text.count(b"-") > MAX_NODES


def _from_events(text: bytes, path: str) -> Any:
    """Compose without the C composer: for deep or large text, and where an anchor is set again.

    Raises: ConfigError for more than 200 levels and for more than 250,000 values.
    """
    loader = _Loader(text)
    anchors: dict[str, Any] = {}
    stack: list[Any] = []
    count = 0
    try:
        while True:
            event: Any = loader.get_event()
            if isinstance(event, yaml.DocumentEndEvent | yaml.StreamEndEvent):
                return stack[0] if stack else None
            if isinstance(event, yaml.CollectionEndEvent):
                _close(stack)
                continue
            if not isinstance(event, yaml.NodeEvent):
                continue
            node = _event_node(event, anchors)
            count += 1
            if count > MAX_NODES:
                raise ConfigError(
                    f"more than {MAX_NODES:,} values in one file",
                    at=Location(path, node.start_mark.line + 1, 1),
                )
            if len(stack) > MAX_DEPTH:
                mark = node.start_mark
                raise ConfigError(
                    "nested too deeply", at=Location(path, mark.line + 1, mark.column + 1)
                )
            stack.append(node)
            if not isinstance(event, yaml.CollectionStartEvent):
                _close(stack)
    finally:
        loader.dispose()


def _close(stack: list[Any]) -> None:
    """Put the finished top of the stack into the collection below it; the root stays."""
    if len(stack) == 1:
        return
    node = stack.pop()
    parent = stack[-1].value
    if isinstance(stack[-1], yaml.SequenceNode):
        parent.append(node)
    elif parent and len(parent[-1]) == 1:
        parent[-1] = (parent[-1][0], node)
    else:
        parent.append((node,))


def _event_node(event: Any, anchors: dict[str, Any]) -> Any:
    marks = (event.start_mark, event.end_mark)
    if isinstance(event, yaml.AliasEvent):
        if event.anchor not in anchors:
            raise yaml.composer.ComposerError(
                None, None, f"found undefined alias {event.anchor!r}", marks[0]
            )
        return anchors[event.anchor]
    node: Any
    if isinstance(event, yaml.ScalarEvent):
        tag = event.tag or ("plain" if event.implicit[0] else "quoted")
        node = yaml.ScalarNode(tag, event.value, *marks)
    elif isinstance(event, yaml.SequenceStartEvent):
        node = yaml.SequenceNode(event.tag or "", [], *marks)
    else:
        node = yaml.MappingNode(event.tag or "", [], *marks)
    if event.anchor is not None:
        anchors[event.anchor] = node
    return node


def _problem(error: Exception) -> str:
    if isinstance(error, yaml.MarkedYAMLError):
        parts = [part for part in (error.context, error.problem) if part]
        return ", ".join(parts) or "unreadable"
    return " ".join(str(error).split())
