"""All stacks at once: what `describe stacks`, `list` and `validate stacks` show."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from wrapper.errors import ConfigError, WrapError
from wrapper.stacks import catalog, globs, names
from wrapper.stacks.catalog import Row
from wrapper.stacks.settings import settings_of

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks.others import Reader
    from wrapper.stacks.repository import Repository
    from wrapper.world import World


def rows(config: Config, world: World, stack: str | None = None) -> list[Row]:
    """Return every component of every stack, with the path for a stack without a name.

    `stack` is a name or a glob. Order: manifests by path, components as merged.
    """
    from wrapper.stacks import opened

    repository = opened(config, world)
    found = []
    for path, one in repository.listings().items():
        shown = names.path_name(path, repository.settings.stacks_dir)
        for row in one.rows:
            row = row if row.stack else row._replace(stack=shown)
            if stack is None or row.stack == stack or globs.matches(stack, row.stack or ""):
                found.append(row)
    return found


def describe(
    config: Config,
    world: World,
    *,
    stack: str | None = None,
    components: tuple[str, ...] = (),
    kinds: tuple[str, ...] = (),
    templates: bool = True,
    evaluated: Callable[[Any], Any] | None = None,
    reader: Reader | None = None,
) -> dict[str, Any]:
    """Return stack -> `components` -> type -> component -> section.

    `evaluated` turns a Component into one with its functions run. Raises: ConfigError without a
    name template or pattern; StackError for a component that cannot be described.
    Source: reference/atmos-stacks.md 6.2.
    """
    from wrapper.stacks import component_of, opened

    settings = settings_of(config)
    if not settings.name_template and not settings.name_pattern:
        raise ConfigError(
            "'stacks.name_template' (or the deprecated 'stacks.name_pattern') needs to be "
            "specified in 'atmos.yaml'"
        )
    repository = opened(config, world, reader=reader)
    found: dict[str, Any] = {}
    for path, one in repository.listings().items():
        if not one.rows:
            continue
        tree = repository.loader.tree(path)
        for row in one.rows:
            wanted = row.stack is not None and stack in (None, row.stack)
            if not wanted or (kinds and row.kind not in kinds):
                continue
            if components and row.component not in components:
                continue
            made = component_of(
                repository, tree, row.kind, row.component, row.stack or "", templates=templates
            )
            if made is None:
                continue
            if evaluated is not None:
                made = evaluated(made)
            section = {key: value for key, value in made.section.items() if key != "imports"}
            kinds_of = found.setdefault(made.stack, {"components": {}})["components"]
            kinds_of.setdefault(made.kind, {}).setdefault(made.name, section)
    return found


def problems(config: Config, world: World) -> list[str]:
    """Return what is wrong with the manifests, one line each; nothing when all is well.

    Checks syntax, imports, names, sections, inheritance and duplicates of every manifest below
    the stacks directory. Source: reference/atmos-stacks.md 6.5.
    """
    from wrapper.stacks import opened

    repository = opened(config, world, quiet=True)
    found: dict[str, None] = {}
    for path in catalog.all_files(repository.settings):
        try:
            repository.read(path)
        except WrapError as error:
            found[catalog.told(error)] = None
    seen: dict[tuple[str, str, str], Any] = {}
    for path, one in repository.listings().items():
        found.update(dict.fromkeys(one.problems))
        for row in one.rows:
            _check(repository, path, row, seen, found)
    return list(found)


def _check(
    repository: Repository,
    path: str,
    row: Row,
    seen: dict[tuple[str, str, str], Any],
    found: dict[str, None],
) -> None:
    from wrapper.stacks import component_of, same

    if row.stack is None:
        return
    try:
        tree = repository.loader.tree(path)
        made = component_of(repository, tree, row.kind, row.component, row.stack)
        key = (row.stack, row.kind, row.component)
        if made is not None:
            same([*([seen[key]] if key in seen else []), made], repository.settings)
            seen.setdefault(key, made)
    except WrapError as error:
        found[catalog.told(error)] = None


def counted(listed: list[Row]) -> list[Mapping[str, str]]:
    """Return one line per component and type with the number of its stacks."""
    stacks: dict[tuple[str, str], set[str]] = {}
    for row in listed:
        stacks.setdefault((row.component, row.kind), set()).add(row.stack or "")
    return [
        {"Component": component, "Type": kind, "Stacks": str(len(stacks[component, kind]))}
        for component, kind in sorted(stacks)
    ]
