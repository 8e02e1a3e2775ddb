"""Where each key of a component comes from: all layers in merge order, and which of them counted.

Source: reference/atmos-stacks.md 3.7.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping

from wrapper.config import pieces
from wrapper.origins import Group, Keys, Origin, Piece, Places, trace
from wrapper.stacks.sections import LAYERS
from wrapper.stacks.settings import Settings, known_strategy, settings_of
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.errors import Location
    from wrapper.stacks import Component
    from wrapper.world import World

Path = tuple[str | int, ...]
# Name of a layer in a component -> in the table of sections.
_NAMES = {"global": "stack", "bases": "base"}
_BACKENDS = {"backend": ("backend",), "remote_state_backend": ("backend", "remote_state_backend")}
_LAST = ("type", "bases", "component")
# Texts that one layer sets as a whole.
TEXTS = {
    "command": ("type", "bases", "component", "overrides"),
    "required_version": ("bases", "component", "overrides"),
    "backend_type": _LAST,
    "remote_state_backend_type": _LAST,
}
SECTIONS = (*LAYERS, "metadata", *_BACKENDS, *TEXTS)


def explain(component: Component, config: Config) -> list[Origin]:
    """Return the origin of each key of all sections, those that are taken away among them.

    Values are those of the component; of a step, what stands in the file. Keys that
    follow from others, such as `workspace`, come last and have no steps.
    """
    settings = settings_of(config)
    found: list[Origin] = []
    for section in SECTIONS:
        value = component.section.get(section) or {}
        found += trace(value, _groups(component, config, settings, section), (section,))
    derived = {k: v for k, v in component.section.items() if k not in (*SECTIONS, "overrides")}
    return [*found, *trace(derived, [])]


def place_of(component: Component, config: Config, keys: Path, text: str) -> Location | None:
    """Return where a text of the component stands that has not been rendered yet.

    `keys` lead to it, or to the key that it is. None where no file holds it as it is: it follows
    from other keys, or a template made it when its file was imported.
    """
    for origin in explain(component, config):
        # What a function stands above is not known to count yet, so the rest follows.
        counting = sorted(origin.steps, key=lambda step: step.counts)[::-1]
        if origin.keys[: len(keys)] == keys and (text == keys[-1] or origin.keys == keys):
            # A scalar, or a key that leads to it.
            alike = [step for step in counting if step.value == text]
            for step in alike or counting[:1]:
                kept = len(step.keys) - len(origin.keys) + len(keys)
                return Places().of(step._replace(keys=step.keys[:kept]))
        if origin.keys == keys[: len(origin.keys)]:
            for step in counting:
                inside = _inside(step.value, keys[len(origin.keys) :], text)
                if inside is not None:
                    return Places().of(step, inside)
    return None


def _inside(value: Any, keys: Path, text: str) -> Path | None:
    """Return where a list that was merged, or a map in it, has a text; None where it has not."""
    if not keys:
        return () if value == text else None
    first, rest = keys[0], keys[1:]
    numbers: list[str | int] = []
    if isinstance(value, Mapping) and first in value:
        numbers = [first]
    elif isinstance(value, list):
        # Lists that were joined have other numbers than each of them.
        numbers = sorted(range(len(value)), key=lambda number: number != first)
    for number in numbers:
        if number == text and not rest:
            return (number,)
        found = _inside(value[number], rest, text)
        if found is not None:
            return (number, *found)
    return None


def _groups(component: Component, config: Config, settings: Settings, section: str) -> list[Group]:
    own = _strategy(component, settings)
    groups: list[Group] = []
    if section == "auth":
        groups.append(pieces.auth_group(config))
    elif section == "env":
        groups.append(pieces.group_of(config, ("env",), ("env",)))
    elif section == "settings":
        keys = ("settings", "integrations", "github")
        groups.append(pieces.group_of(config, ("integrations", "github"), keys))
    elif section == "command":
        groups.append(pieces.group_of(config, ("components", component.kind), ()))
    for key in _BACKENDS.get(section, (section,)):
        groups += _layered(component, settings, own, section, key)
    return [group for group in groups if group.pieces]


def _layered(
    component: Component, settings: Settings, own: str, section: str, key: str
) -> list[Group]:
    which = LAYERS.get(section) or TEXTS.get(section) or _LAST
    if section == "metadata":
        which = ("global", "bases", "component")
    wanted = [_NAMES.get(layer, layer) for layer in which]
    members: dict[tuple[str, Keys], list[Piece]] = {}
    previous: tuple[str, Keys] | None = None
    for label, source in component.layers:
        at = ("overrides", ()) if label == "overrides" else (label, source.prefix)
        if at != previous and at in members:
            members.pop(at)  # a base that comes twice counts where it comes last
        previous = at
        if label not in wanted or key not in source.data:
            continue
        piece = _piece(settings, label, source.path, source.prefix, source.data, key)
        if piece is not None:
            piece = _under(piece, section, component)
        if piece is not None:
            known = members.setdefault(at, [])
            if settings.strategy != "append" and piece in known:
                known.remove(piece)
            known.append(piece)
    return [
        Group(tuple(some), settings.strategy, settings.strategy if at[0] == "type" else own)
        for at, some in members.items()
        if not _passed_over(component, section, at)
    ]


def _passed_over(component: Component, section: str, at: tuple[str, Keys]) -> bool:
    """Say whether a base's text does not count, not even when the last base has none."""
    last = component.section.get("inheritance") or [""]
    texts = section in TEXTS and section != "required_version"
    return texts and at[0] == "base" and at[1][-1] != last[0]


def _piece(
    settings: Settings,
    label: str,
    path: str,
    prefix: Keys,
    data: Mapping[str, Any],
    key: str,
) -> Piece | None:
    """Return what a source says about a section; a text stands for the whole section."""
    shown = f"base {prefix[-1]}" if label == "base" else label
    if key in TEXTS:
        if not isinstance(data[key], str):
            return None
        return Piece(shown, path, prefix, {key: data[key]})
    found = data[key]
    if not isinstance(found, Mapping):
        return None
    if key == "metadata" and label == "base":
        if not settings.inherit_metadata:
            return None
        found = {name: value for name, value in found.items() if name not in ("inherits", "type")}
    return Piece(shown, path, (*prefix, key), found, (key,)) if found else None


def _under(piece: Piece, section: str, component: Component) -> Piece | None:
    """Return a piece of a backend as only what it says about the type in use."""
    if section not in _BACKENDS:
        return piece
    kind = component.section.get(f"{section}_type")
    found = piece.data.get(kind) if isinstance(kind, str) else None
    if not isinstance(found, Mapping):
        return None
    return piece._replace(data=found, prefix=(*piece.prefix, str(kind)), keys=(section,))


def _strategy(component: Component, settings: Settings) -> str:
    """Return the component's own list strategy, else that of `atmos.yaml`."""
    found = component.section.get("settings")
    wanted = found.get("list_merge_strategy") if isinstance(found, Mapping) else None
    return known_strategy(wanted) if isinstance(wanted, str) and wanted else settings.strategy


def sources(component: Component) -> dict[str, Any]:
    """Return section -> variable -> the files that set it, the nearest first, as Atmos shows it.

    Source: reference/atmos-stacks.md 6.1.
    """
    found: dict[str, Any] = {}
    for section in ("vars", "env", "settings"):
        values = component.section.get(section)
        known: dict[str, Any] = {}
        for name, value in values.items() if isinstance(values, Mapping) else ():
            given = []
            for _, source in reversed(component.layers):
                own = source.data.get(section)
                if isinstance(own, Mapping) and name in own:
                    inline = source.path == component.manifest
                    given.append(
                        {
                            "dependency_type": "inline" if inline else "import",
                            "stack_file": _stem(source.path, component),
                            "stack_file_section": ".".join((*source.prefix, section)),
                            "variable_value": own[name],
                        }
                    )
            known[name] = {"final_value": value, "name": name, "stack_dependencies": given}
        if known:
            found[section] = known
    return found


def _stem(path: str, component: Component) -> str:
    """Return a file as imports name it: below the stacks directory, without extension."""
    from wrapper.stacks.names import path_name

    own = str(component.section.get("atmos_stack_file") or "")
    # The manifest's own name tells how deep it lies below the stacks directory.
    base = component.manifest
    for _ in range(own.count("/") + 1):
        base = base.rpartition("/")[0]
    return path_name(path, base)


def depths(component: Component, config: Config, world: World) -> dict[str, int]:
    """Return how many imports away each file is: the manifest 1, what it imports 2, and so on.

    A file whose import is named by a template is not found, and left out.
    """
    from wrapper.stacks import globs, names, opened

    repository = opened(config, world, quiet=True)
    base = repository.settings.stacks_dir
    stems = {path: names.path_name(path, base) for path in component.files}
    found = {component.manifest: 1}
    reached = [component.manifest]
    while reached:
        path = reached.pop(0)
        entries = repository.read(path).data.get("import")
        for entry in entries if isinstance(entries, list) else ():
            wanted = entry.get("path") if isinstance(entry, Mapping) else entry
            if not isinstance(wanted, str):
                continue
            if wanted.startswith("."):
                folder = posixpath.dirname(names.path_name(path, base))
                wanted = posixpath.normpath(posixpath.join(folder, wanted))
            stem = names.path_name(f"{base}/{wanted}", base)
            for other, name in stems.items():
                if other not in found and (name == stem or globs.matches(stem, name)):
                    found[other] = found[path] + 1
                    reached.append(other)
    return found
