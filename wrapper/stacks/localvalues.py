"""`locals`: values of one file, for the templates of that file.

Source: reference/atmos-stacks.md 3.12.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wrapper.errors import Location, StackError
from wrapper.stacks import rendering
from wrapper.stacks.imports import TYPES, place

_NAMES = re.compile(r"\.locals\.([A-Za-z_][A-Za-z0-9_]*)")


def of_file(data: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return a file's locals, root and typed ones in one map, resolved.

    Raises: StackError with the place for a loop and for wrong types.
    """
    raw: dict[str, Any] = {}
    for prefix, section in (((), data), *(((kind,), data.get(kind)) for kind in TYPES)):
        if not isinstance(section, Mapping) or section.get("locals") is None:
            continue
        found = section["locals"]
        if not isinstance(found, dict):
            keys = (*prefix, "locals")
            raise StackError(
                f"invalid locals section in file '{path}'",
                at=place(path, keys),
                hint="it must be a map",
            )
        raw.update(found)
    others = {key: data[key] for key in ("settings", "vars", "env") if key in data}
    done: dict[str, Any] = {}
    for name in raw:
        _resolve(name, raw, others, done, (), path)
    return {name: done[name] for name in raw}


def _resolve(
    name: str,
    raw: Mapping[str, Any],
    others: Mapping[str, Any],
    done: dict[str, Any],
    chain: tuple[str, ...],
    path: str,
) -> None:
    if name in done:
        return
    at = place(path, ("locals", name)) if "{{" in str(raw[name]) else Location(path, 1, 1)
    if name in chain:
        loop = " -> ".join((*chain[chain.index(name) :], name))
        raise StackError(f"circular dependency in locals: {loop}", at=at)
    for other in _names(raw[name]):
        if other in raw:
            _resolve(other, raw, others, done, (*chain, name), path)
    data = {**others, "locals": done}
    done[name] = rendering.typed(raw[name], data, f"locals.{name}", at, True)


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return _NAMES.findall(value) if "{{" in value else []
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in _names(item)]
    if isinstance(value, list):
        return [name for item in value for name in _names(item)]
    return []
