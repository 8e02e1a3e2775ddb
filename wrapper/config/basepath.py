"""Where relative paths of the configuration start."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.typed import Any, NamedTuple


class Anchors(NamedTuple):
    """The directories that a base path may be relative to; `git` and `config` may be ''."""

    git: str
    config: str
    cwd: str
    local: bool  # cwd itself is configured


def resolve(value: str, anchors: Anchors, *, runtime: bool) -> str:
    """Return the absolute base path.

    `runtime` says that the value comes from a flag or a variable, not from a file.
    Source: reference/atmos-stacks.md 1.6.
    """
    if os.path.isabs(value):
        return os.path.normpath(value)
    config = anchors.config or anchors.cwd
    first = value.replace("\\", "/").split("/")[0]
    if not value or (value == "." and not anchors.local and not runtime):
        return anchors.git or config
    if first in (".", ".."):
        return _join(anchors.cwd if runtime else config, value)
    candidates = _candidates(anchors, config, runtime)
    for directory in candidates:
        if os.path.exists(os.path.join(directory, value)):
            return _join(directory, value)
    return _join(candidates[0], value)


def _candidates(anchors: Anchors, config: str, runtime: bool) -> tuple[str, ...]:
    if anchors.git:
        return (anchors.git, anchors.cwd)
    return (anchors.cwd, config) if runtime else (config,)


def _join(directory: str, value: str) -> str:
    return os.path.normpath(os.path.join(directory, value))


def below(base: str, data: Mapping[str, Any], *keys: str) -> str:
    """Return the absolute `base_path` of a section; '' when it names none."""
    section: Any = data
    for key in keys:
        section = section.get(key) or {}
    path = section.get("base_path")
    return os.path.normpath(os.path.join(base, path)) if path else ""
