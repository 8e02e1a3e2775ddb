"""Overrides in force while manifests are read.

Source: reference/atmos-stacks.md 3.11.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.merge import deep_merge
from wrapper.stacks.sources import TYPES, Source, place
from wrapper.typed import Any, NamedTuple


class Scope(NamedTuple):
    """Overrides of one type in force while a file is read: merged, and their sources, lowest first."""

    merged: Mapping[str, Any] = {}
    sources: tuple[Source, ...] = ()


def inline(data: Mapping[str, Any], path: str, strategy: str) -> dict[str, Scope]:
    """Return a file's inline overrides per component type, the type's over the root's."""
    root = data.get("overrides")
    scopes: dict[str, Scope] = {}
    for kind in TYPES:
        section = data.get(kind)
        typed = section.get("overrides") if isinstance(section, dict) else None
        scope: Scope | None = None
        for prefix, found in ((("overrides",), root), ((kind, "overrides"), typed)):
            if found is None and (
                prefix[0] != kind or not isinstance(section, dict) or "overrides" not in section
            ):
                if prefix != ("overrides",) or "overrides" not in data:
                    continue
            if not isinstance(found, dict):
                raise StackError(
                    f"invalid '{'.'.join(prefix)}' section in the file '{os.path.basename(path)}'",
                    at=place(path, prefix),
                    hint="it must be a map",
                )
            if found:
                scope = _over(scope, Scope(found, (Source(path, prefix, found),)), strategy)
        if scope is not None:
            scopes[kind] = scope
    return scopes


def both(lower: Mapping[str, Scope], upper: Mapping[str, Scope], strategy: str) -> dict[str, Scope]:
    """Return overrides laid over others. What is in both counts twice where lists are appended."""
    return {kind: _over(lower.get(kind), upper.get(kind), strategy) for kind in {*lower, *upper}}


def _over(lower: Scope | None, upper: Scope | None, strategy: str) -> Scope:
    if lower is None or upper is None:
        return upper or lower or Scope()
    above = {id(source.data) for source in upper.sources}
    below = [source for source in lower.sources if id(source.data) not in above]
    merged = deep_merge(lower.merged, upper.merged, strategy)
    return Scope(merged, (*below, *upper.sources))


def put_on(
    data: dict[str, Any],
    final: Mapping[str, Scope],
    overridden: dict[tuple[str, str], tuple[Source, ...]],
) -> dict[str, Any]:
    """Return a file's data with the overrides in force put on each of its components."""
    components = data.get("components")
    if not isinstance(components, dict):
        return data
    changed: dict[str, Any] = {}
    for kind, scope in final.items():
        group = components.get(kind)
        if scope.merged and isinstance(group, dict):
            changed[kind] = {
                name: {**body, "overrides": scope.merged} if isinstance(body, dict) else body
                for name, body in group.items()
            }
            overridden.update(dict.fromkeys(((kind, name) for name in group), scope.sources))
    return {**data, "components": {**components, **changed}} if changed else data
