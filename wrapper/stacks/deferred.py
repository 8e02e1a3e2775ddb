"""YAML functions in one layer of a section, other values in others: merged when they have run.

Source: reference/atmos-stacks.md 3.10.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.merge import deep_merge, merge_all, prune
from wrapper.typed import Any, NamedTuple

# Sections whose calls wait for each other, and the calls that do.
SECTIONS = ("vars", "settings", "env", "providers", "required_providers", "hooks", "generate")
_CALLS = ("!template", "!terraform.output", "!terraform.state", "!store", "!exec", "!env",
          "!labels", "!tags")  # fmt: skip

# Where the values wait beside a section while its templates are run; no section has such a name.
HELD = "\0"

_Path = tuple[str, ...]


class Deferred(NamedTuple):
    """What the layers say at one key path of a section, lowest first, calls still as texts."""

    section: str
    path: _Path
    values: tuple[Any, ...]
    strategy: str


def merged(section: str, layers: Sequence[Any], strategy: str) -> tuple[Any, list[Deferred]]:
    """Return the layers merged with calls as texts, and what is to be merged again by values.

    As in Atmos null says nothing beside a call; in `env` it takes the variable away.
    """
    if not any(map(_calls, layers)):
        return merge_all(layers, strategy), []
    found: dict[_Path, dict[int, Any]] = {}
    blank = [_blanked(layer, (), number, found) for number, layer in enumerate(layers)]
    result = merge_all(blank, strategy)
    again: list[Deferred] = []
    for path in sorted(found, key=len):
        values = found[path]
        for number, layer in enumerate(blank):
            value, there = _at(layer, path)
            if there and number not in values and (value is not None or section == "env"):
                values[number] = value
        ordered = tuple(values[number] for number in sorted(values))
        result = _with(result, path, _folded(ordered, strategy))
        inside = any(path[: len(one.path)] == one.path for one in again)
        if len(ordered) > 1 or inside:
            again.append(Deferred(section, path, ordered, strategy))
    return result, again


def shown(section: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return what templates see of a component."""
    if HELD not in section:
        return section
    return {key: value for key, value in section.items() if key != HELD}


def applied(data: Any, one: Deferred, values: Sequence[Any]) -> Any:
    """Return a section in which one place has what its layers gave when their calls had run."""
    if not _at(data, one.path[:-1])[1]:
        return data
    return prune(_with(data, one.path, _folded(values, one.strategy)))


def _calls(value: Any) -> bool:
    if isinstance(value, str):
        return value.startswith(_CALLS)
    return isinstance(value, Mapping) and any(map(_calls, value.values()))


def _blanked(
    value: Mapping[str, Any], path: _Path, number: int, found: dict[_Path, dict[int, Any]]
) -> dict[str, Any]:
    """Return a layer with null for each call, which is noted with its path and its layer."""
    out: dict[str, Any] = {}
    for key, item in value.items():
        here = (*path, key)
        if isinstance(item, Mapping):
            out[key] = _blanked(item, here, number, found)
        elif isinstance(item, str) and item.startswith(_CALLS):
            found.setdefault(here, {})[number] = item
            out[key] = None
        else:
            out[key] = item
    return out


def _at(data: Any, path: _Path) -> tuple[Any, bool]:
    for key in path:
        if not isinstance(data, Mapping) or key not in data:
            return None, False
        data = data[key]
    return data, True


def _with(data: Any, path: _Path, value: Any) -> Any:
    """Return the data with another value at a path; what is no map on the way there stays."""
    if not isinstance(data, Mapping):
        return data
    key, *rest = path
    if rest:
        return {**data, key: _with(data.get(key, {}), tuple(rest), value)}
    return {**data, key: value}


def _folded(values: Sequence[Any], strategy: str) -> Any:
    """Return the values of one place merged, lowest first.

    What is neither a map nor a list at the bottom gives way to the highest.
    """
    first, *others = values
    if isinstance(first, Mapping):
        for value in others:
            if not isinstance(value, Mapping):
                return value
            first = deep_merge(first, value)
        return first
    if not isinstance(first, list) or strategy not in ("append", "merge"):
        return values[-1]
    if strategy == "append":
        return [item for value in values if isinstance(value, list) for item in value]
    for value in others:
        if not isinstance(value, list):
            return value
        first = [_item(*pair) for pair in zip(first, value, strict=False)] + (
            first[len(value) :] or value[len(first) :]
        )
    return first


def _item(lower: Any, upper: Any) -> Any:
    both = isinstance(lower, Mapping) and isinstance(upper, Mapping)
    return deep_merge(lower, upper) if both else upper
