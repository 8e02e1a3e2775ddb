"""What a component needs to have run before it, as its manifest says.

Source: reference/atmos-stacks.md 3.14, 4.4.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.stacks import Component
    from wrapper.stacks.settings import Settings

_CONTEXT = ("namespace", "tenant", "environment", "stage")


class Node(NamedTuple):
    """One terraform component of one stack."""

    component: str
    stack: str

    def key(self) -> str:
        """Return what ties are sorted by."""
        return f"{self.component}-{self.stack}"

    def __str__(self) -> str:
        return f"{self.component} in {self.stack}"


def needs(component: Component, settings: Settings) -> tuple[Node, ...]:
    """Return the components that a component names, in its order, each once.

    `dependencies.components`, if it is there at all; else `settings.depends_on`. Without a stack
    the component's own; `settings.depends_on` may name parts of a stack's name instead.
    Raises: StackError for an entry with two names.
    """
    found: dict[Node, None] = {}
    for entry in _entries(component):
        if isinstance(entry, str):
            entry = {"component": entry}
        if not isinstance(entry, Mapping) or entry.get("kind") not in (None, "", "terraform"):
            continue
        name = _name(entry, component)
        if name:
            found[Node(name, _stack(entry, component, settings))] = None
    return tuple(found)


def _entries(component: Component) -> list[Any]:
    given = component.section.get("dependencies")
    if isinstance(given, Mapping) and given.get("components") is not None:
        listed = given["components"]
    else:
        listed = (component.section.get("settings") or {}).get("depends_on")
    if isinstance(listed, Mapping):
        return list(listed.values())
    return listed if isinstance(listed, list) else []


def _name(entry: Mapping[str, Any], component: Component) -> str:
    names = {str(entry[key]) for key in ("name", "component") if entry.get(key)}
    if len(names) > 1:
        raise StackError(
            f'a dependency of "{component.name}" has two names: {", ".join(sorted(names))}',
            at=component.where("dependencies", "components"),
            hint="`component` is the older word for `name`: give one of them",
        )
    return names.pop() if names else ""


def _stack(entry: Mapping[str, Any], component: Component, settings: Settings) -> str:
    from wrapper.stacks import names

    if entry.get("stack"):
        return str(entry["stack"])
    given = {key: entry[key] for key in _CONTEXT if entry.get(key)}
    if not given:
        return component.stack
    own = component.section.get("vars")
    merged = {**(own if isinstance(own, Mapping) else {}), **given}
    section = {**component.section, "vars": merged}
    return names.context_name(section, settings, component.manifest) or component.stack
