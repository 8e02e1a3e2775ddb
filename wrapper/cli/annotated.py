"""`describe component --provenance`: the YAML, with the file and line of each key beside it.

Source: reference/atmos-stacks.md 6.1.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.cli import output
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.errors import Location
    from wrapper.origins import Origin
    from wrapper.stacks import Component
    from wrapper.world import World

LEGEND = """\
# Provenance Legend:
#   ● [1] Defined in parent stack
#   ○ [N] Inherited/imported (N=2+ levels deep)
#   ∴ Computed/templated

"""
_COLUMN = 50
_LEAST, _BESIDE = 40, 60


def text(section: Mapping[str, Any], component: Component, config: Config, world: World) -> str:
    """Return a component's section as YAML with comments: mark, depth of import, file, line."""
    from wrapper.origins import Places
    from wrapper.stacks import provenance

    shown = {"import" if key == "imports" else key: value for key, value in section.items()}
    shown = {key: value for key, value in shown.items() if value not in (None, {}, [], "")}
    body = output.as_yaml(shown)
    origins = {origin.keys: origin for origin in provenance.explain(component, config)}
    depths = provenance.depths(component, config, world)
    places = Places()
    column = _column(world)
    lines = body.splitlines()
    for number, keys in _keys(body).items():
        at, made = _place(keys, origins, component, places)
        if at is None:
            continue
        depth = depths.get(at.path, 2)
        mark = "∴" if made else "●" if depth == 1 else "○"
        comment = f"# {mark} [{depth}] {_file(at.path, config)}:{at.line}"
        line = lines[number]
        apart = " " * (column - len(line))
        if len(line) >= column:
            # Below the head of a text of several lines a comment would be part of the text.
            apart = "  " if line.endswith(("|", "|-", "|+")) else "\n" + " " * column
        lines[number] = f"{line}{apart}{comment}"
    stack = _file(component.manifest, config)
    return f"{LEGEND}# Stack: {stack}\n\n" + "".join(f"{line}\n" for line in lines)


def _place(
    keys: tuple[str, ...],
    origins: Mapping[tuple[str, ...], Origin],
    component: Component,
    places: Any,
) -> tuple[Location | None, bool]:
    """Return where a key was set last, and whether its value was made from what stands there."""
    origin = origins.get(keys)
    if origin is None:
        return (component.where(*keys) if keys[0] != "import" else None), False
    winner = next((step for step in reversed(origin.steps) if step.counts), None)
    if winner is None:
        return None, False
    made = isinstance(winner.value, str) and winner.value != origin.value
    return places.of(winner), made


def _keys(body: str) -> dict[int, tuple[str, ...]]:
    """Return the key path that begins on each line, of maps only; lines count from 0."""
    import yaml

    found: dict[int, tuple[str, ...]] = {}

    def walk(node: Any, keys: tuple[str, ...]) -> None:
        for key, value in node.value if isinstance(node, yaml.MappingNode) else ():
            path = (*keys, str(key.value))
            found.setdefault(key.start_mark.line, path)
            walk(value, path)

    walk(yaml.compose(body, Loader=yaml.SafeLoader), ())
    return found


def _file(path: str, config: Config) -> str:
    for base in (config.stacks_dir, config.base_path):
        if base and path.startswith(base.rstrip("/") + "/"):
            return os.path.relpath(path, base)
    return path


def _column(world: World) -> int:
    """Return where comments begin: at the right of a terminal, else at a fixed column."""
    try:
        width = os.get_terminal_size(world.stdout.fileno()).columns if world.stdout.isatty() else 0
    except (OSError, ValueError):
        width = 0
    return max(width - _BESIDE, _LEAST) if width else _COLUMN
