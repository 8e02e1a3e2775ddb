"""Deep merge of configuration by Atmos's rules.

Source: reference/atmos-stacks.md 3.7.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from wrapper.typed import Any, NamedTuple

STRATEGIES = ("replace", "append", "merge")


class Append(list[Any]):
    """A list written with `!append`: added to the list below it whatever the strategy is."""


class Unset:
    """A value written as `!unset`: takes the key, or the list item, away."""

    def __repr__(self) -> str:
        return "UNSET"


UNSET = Unset()


class Layer(NamedTuple):
    """What one file says in one section, lowest first.

    `section` is one of SECTIONS of the `auth` merge; `path` the absolute file; `prefix` the key
    path inside the file under which `data` stands (for looking up a line). `rank` matters in
    configuration files only: where layers stand in the order in which their default markers win,
    it says in which order the values of identities win, lowest first.
    """

    section: str
    path: str
    prefix: tuple[str, ...]
    data: Mapping[str, Any]
    rank: int = 0


# Order of the sections that feed `auth`, lowest first (design 8).
SECTIONS = ("config", "profile", "stack", "type", "base", "component", "overrides")


def deep_merge(lower: Any, upper: Any, strategy: str = "replace") -> Any:
    """Return `upper` laid over `lower`; neither is changed.

    Maps merge key by key; anything else is replaced. Lists follow `strategy`. UNSET stays in the
    result until `prune` so that it also removes what a later, lower layer brings.
    """
    if isinstance(lower, Mapping) and isinstance(upper, Mapping):
        merged = dict(lower)
        for key, value in upper.items():
            merged[key] = deep_merge(merged[key], value, strategy) if key in merged else value
        return merged
    if isinstance(upper, Append):
        return [*lower, *upper] if isinstance(lower, list) else list(upper)
    if isinstance(lower, list) and isinstance(upper, list):
        return _lists(lower, upper, strategy)
    return upper


def _lists(lower: Sequence[Any], upper: Sequence[Any], strategy: str) -> list[Any]:
    if strategy == "append":
        return [*lower, *upper]
    if strategy == "merge":
        both = zip(lower, upper, strict=False)
        shared = [
            deep_merge(a, b, strategy) if isinstance(a, Mapping) and isinstance(b, Mapping) else a
            for a, b in both
        ]
        rest = lower[len(shared) :] or upper[len(shared) :]
        return [*shared, *rest]
    return list(upper)


def merge_all(layers: Iterable[Any], strategy: str = "replace") -> Any:
    """Return all layers merged, lowest first; `{}` when there is none."""
    merged: Any = {}
    for layer in layers:
        merged = deep_merge(merged, layer, strategy)
    return merged


def prune(value: Any) -> Any:
    """Return the value without UNSET keys and items, and with Append as plain lists."""
    if isinstance(value, Mapping):
        return {k: prune(v) for k, v in value.items() if v is not UNSET}
    if isinstance(value, list):
        return [prune(v) for v in value if v is not UNSET]
    return value
