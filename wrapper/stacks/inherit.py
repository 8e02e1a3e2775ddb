"""The bases of a component, in the order in which they are merged.

Source: reference/atmos-stacks.md 3.9.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import StackError, near
from wrapper.merge import UNSET
from wrapper.typed import Any, NamedTuple

# Deeper than anybody's components, and well within the interpreter's stack.
_DEPTH = 100
# So many bases, each counted as often as it is reached, make one component.
_BASES = 1000


class InheritsError(StackError):
    """`metadata.inherits` of `component` is no list of names, or names what is not there."""

    component = ""
    key: tuple[str, ...] = ("metadata", "inherits")


class Bases(NamedTuple):
    """`order` is the order of merging, with repeats; `chain` what `inheritance` shows."""

    order: tuple[str, ...] = ()
    chain: tuple[str, ...] = ()


def bases_of(name: str, components: Mapping[str, Any], stack: str) -> Bases:
    """Return what a component inherits from, directly or not.

    Raises: StackError for a base that is not there, a loop over `component:`, wrong types, and for
    inheritance without measure.
    """
    order: list[str] = []
    chain: list[str] = []
    _measure(name, components, stack)
    _visit(name, components, stack, order, chain, (), ())
    return Bases(tuple(order), tuple(chain))


def _measure(name: str, components: Mapping[str, Any], stack: str) -> None:
    """Refuse a long chain at once: for each of its components the whole way would take too long."""
    base, seen = name, {name}
    while len(seen) <= _DEPTH:
        body = components[base]
        metadata = body.get("metadata") if isinstance(body, Mapping) else None
        bases = metadata.get("inherits") if isinstance(metadata, Mapping) else None
        base = bases[0] if isinstance(bases, list) and bases else ""
        if not isinstance(base, str) or base in seen or base not in components:
            return
        seen.add(base)
    raise _too_deep(name, stack)


def _too_deep(name: str, stack: str) -> StackError:
    return StackError(
        f"the component '{name}' in stack '{stack}' inherits over more than {_DEPTH} levels"
    )


def check_legacy(
    name: str, components: Mapping[str, Any], bases: Bases, directory: str, stack: str
) -> None:
    """Look at what the legacy `component:` of a component and of its bases names.

    Raises: StackError for what is neither a component of the stack nor below `directory`.
    """
    for one in (name, *bases.order):
        parent = legacy_component(components[one])
        if not parent or parent in components or os.path.isdir(os.path.join(directory, parent)):
            continue
        if one == name or not _abstract(components[one]):
            raise _missing(one, stack, parent, "component", components)


def legacy_component(body: Mapping[str, Any]) -> str:
    """Return the `component:` that stands directly in a component, or ''."""
    found = body.get("component")
    return found if isinstance(found, str) else ""


def legacy_root(name: str, components: Mapping[str, Any], bases: Bases) -> str:
    """Return where the legacy `component:` of a component leads, or ''.

    That is the first of all bases, behind what the named component itself inherits from. One that
    names no component of the stack counts for nothing.
    """
    parent = legacy_component(components[name])
    return bases.order[0] if parent in components and parent != name else ""


def metadata_component(body: Mapping[str, Any]) -> str:
    """Return a component's own `metadata.component`, or ''."""
    metadata = body.get("metadata")
    found = metadata.get("component") if isinstance(metadata, Mapping) else None
    return found if isinstance(found, str) else ""


def _visit(
    name: str,
    components: Mapping[str, Any],
    stack: str,
    order: list[str],
    chain: list[str],
    legacy: tuple[str, ...],
    inherits: tuple[str, ...],
) -> None:
    """Add the bases of one component; a loop over `inherits` just ends, as in Atmos."""
    if len(legacy) > _DEPTH or len(inherits) > 2 * _DEPTH:
        raise _too_deep(next(iter(legacy or inherits)), stack)
    body = components[name]
    parent = legacy_component(body)
    top = not legacy and not inherits
    if parent in components and parent != name and (top or not _abstract(body)):
        _legacy(name, parent, components, stack, order, chain, legacy, inherits)
    for base in _inherits(body, name, stack):
        if base == name or base in inherits:
            continue
        if base not in components:
            raise _missing(name, stack, base, "metadata.inherits", components)
        _visit(base, components, stack, order, chain, legacy, (*inherits, name, base))
        _add(base, order, chain, stack)


def _legacy(
    name: str,
    parent: str,
    components: Mapping[str, Any],
    stack: str,
    order: list[str],
    chain: list[str],
    legacy: tuple[str, ...],
    inherits: tuple[str, ...],
) -> None:
    if parent in legacy:
        loop = " -> ".join((*legacy, name, parent))
        raise StackError(f"circular component inheritance detected in stack '{stack}': {loop}")
    _visit(parent, components, stack, order, chain, (*legacy, name), (*inherits, name))
    _add(parent, order, chain, stack)


def _add(base: str, order: list[str], chain: list[str], stack: str) -> None:
    order.append(base)
    if len(order) > _BASES:
        raise StackError(
            f"a component in stack '{stack}' inherits more than {_BASES:,} times, by '{base}' among"
            " others"
        )
    if base in chain:
        chain.remove(base)
    chain.insert(0, base)


def _abstract(body: Mapping[str, Any]) -> bool:
    metadata = body.get("metadata")
    return isinstance(metadata, Mapping) and metadata.get("type") == "abstract"


def _inherits(body: Mapping[str, Any], name: str, stack: str) -> list[str]:
    metadata = body.get("metadata")
    found = metadata.get("inherits", UNSET) if isinstance(metadata, Mapping) else UNSET
    if found is UNSET:
        return []
    if not isinstance(found, list) or not all(isinstance(item, str) for item in found):
        error = InheritsError(
            f"invalid component metadata.inherits section: component '{name}' in stack '{stack}'",
            hint="metadata.inherits is a list of component names",
        )
        error.component = name
        raise error
    return found


def _missing(
    name: str, stack: str, base: str, how: str, components: Mapping[str, Any]
) -> StackError:
    error = InheritsError(
        f"component not defined in any config files: the component '{name}' in the stack manifest "
        f"'{stack}' inherits from '{base}' (using '{how}'), but '{base}' is not defined in any of "
        f"the config files for the stack '{stack}'",
        hint=near(base, list(components)),
    )
    error.component = name
    error.key = tuple(how.split("."))
    return error
