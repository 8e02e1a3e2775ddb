"""What a component asks of Atmos and this program does not do; nothing is left out silently."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.stacks import Component


def left_out(component: Component) -> list[str]:
    """Return one line for each section that has no effect here, in stable order.

    Source: reference/atmos-stacks.md 3.14, 5.2, 5.8.
    """
    section = component.section
    settings = _map(section.get("settings"))
    dependencies = _map(section.get("dependencies"))
    found = [
        ("settings.validation", _names(settings.get("validation")), "is not checked"),
        ("dependencies.tools", _names(dependencies.get("tools")), "are not installed"),
    ]
    return [
        f'component "{component.name}": `{key}` ({", ".join(names)}) {what}'
        for key, names, what in found
        if names
    ]


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def _names(value: Any) -> list[str]:
    """Return the keys of a section; entries that are switched off do not count."""
    if isinstance(value, str):
        return [value] if value else []
    off = {k for k, v in _map(value).items() if _map(v).get("enabled") is False}
    return sorted(str(key) for key in _map(value) if key not in off)
