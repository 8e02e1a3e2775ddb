"""All stacks at once: what `describe stacks`, `list` and `validate stacks` show."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping

from wrapper import schemas
from wrapper.errors import ConfigError, WrapError
from wrapper.stacks import catalog, globs, names
from wrapper.stacks.catalog import Row
from wrapper.stacks.settings import settings_of
from wrapper.stacks.sources import place
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.others import Reader
    from wrapper.stacks.repository import Repository
    from wrapper.world import World


def rows(config: Config, world: World, stack: str | None = None) -> list[Row]:
    """Return every component of every stack, with the path for a stack without a name.

    `stack` is a name or a glob. Order: manifests by path, components as merged.
    """
    found = []
    for shown, row in _with_paths(config, world):
        row = row if row.stack else row._replace(stack=shown)
        if stack is None or row.stack == stack or globs.matches(stack, row.stack or ""):
            found.append(row)
    return found


def stacks_named(config: Config, world: World, wanted: tuple[str, ...]) -> list[str]:
    """Return the stacks with one of these names, or of manifests of these paths; all for none."""
    found = {
        row.stack or path_name
        for path_name, row in _with_paths(config, world)
        if not wanted or row.stack in wanted or path_name in wanted
    }
    return sorted(found)


def _with_paths(config: Config, world: World) -> Iterator[tuple[str, Row]]:
    from wrapper.stacks import opened

    repository = opened(config, world)
    for path, one in repository.listings().items():
        shown = names.path_name(path, repository.settings.stacks_dir)
        yield from ((shown, row) for row in one.rows)


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
    empty: bool = False,
) -> dict[str, Any]:
    """Return stack -> `components` -> type -> component -> section.

    `evaluated` turns a Component into one with its functions run; `empty` adds manifests without
    components. Raises: ConfigError without a
    name template or pattern; StackError for a component that cannot be described.
    Source: reference/atmos-stacks.md 6.2.
    """
    chosen = Chosen(stack, components, kinds, derived=True)
    return dict(
        described(
            config,
            world,
            chosen,
            templates=templates,
            evaluated=evaluated,
            reader=reader,
            empty=empty,
        )
    )


def described(
    config: Config,
    world: World,
    chosen: Chosen,
    *,
    templates: bool = True,
    evaluated: Callable[[Any], Any] | None = None,
    reader: Reader | None = None,
    empty: bool = False,
    order: Callable[[str], Any] = str,
) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield each stack with what `describe` returns of it: one at a time is in memory.

    They come by name, compared by `order`.

    Raises: as `describe`.
    """
    from wrapper.stacks import component_of, opened

    settings = settings_of(config)
    if not settings.name_template and not settings.name_pattern:
        raise ConfigError(
            "'stacks.name_template' (or the deprecated 'stacks.name_pattern') needs to be "
            "specified in 'atmos.yaml'"
        )
    repository = opened(config, world, reader=reader)
    parts: dict[str, list[tuple[str, Row]]] = {}
    for path, row in _chosen(repository, chosen):
        parts.setdefault(row.stack or "", []).append((path, row))
    if empty:
        parts |= {name: [] for name in _empty(repository, chosen.stack) if name not in parts}
    for name in sorted(parts, key=order):
        kinds_of: dict[str, Any] = {}
        for path, row in parts[name]:
            tree = repository.loader.tree(path)
            made = component_of(
                repository, tree, row.kind, row.component, name, templates=templates
            )
            if made is None:
                continue
            made = evaluated(made) if evaluated is not None else made
            section = {key: value for key, value in made.section.items() if key != "imports"}
            kinds_of.setdefault(made.kind, {}).setdefault(made.name, section)
        for path, _ in parts[name]:
            repository.forget(path)
        if kinds_of or not parts[name]:
            yield name, {"components": kinds_of}


class Chosen(NamedTuple):
    """Which components are wanted: a stack by name, glob or path, names, types; all without.

    With `derived` a name also means the components whose `component` it is.
    """

    stack: str | None = None
    components: tuple[str, ...] = ()
    kinds: tuple[str, ...] = ()
    derived: bool = False

    def has_stack(self, name: str | None, path_name: str) -> bool:
        """Say whether a stack is wanted that has this name and stands in that manifest."""
        if name is None or self.stack is None:
            return name is not None
        return self.stack in (name, path_name) or globs.matches(self.stack, name)


def values(
    config: Config,
    world: World,
    chosen: Chosen,
    *,
    abstract: bool = False,
    templates: bool = True,
    evaluated: Callable[[Component], Component] | None = None,
    reader: Reader | None = None,
) -> dict[tuple[str, str], dict[str, Any]]:
    """Return (stack, component) -> section of the chosen components, without abstract ones.

    Raises: StackError for a component that cannot be described.
    """
    from wrapper.stacks import opened

    found: dict[tuple[str, str], dict[str, Any]] = {}
    repository = opened(config, world, reader=reader)
    for made in _each(repository, chosen, abstract=abstract, templates=templates):
        key = (made.stack, made.name)
        if key not in found:
            found[key] = (evaluated(made) if evaluated is not None else made).section
    return found


def each(
    config: Config, world: World, *, templates: bool = True, reader: Reader | None = None
) -> Iterator[Component]:
    """Yield the components of all stacks that are not abstract. Raises: StackError."""
    from wrapper.stacks import opened

    repository = opened(config, world, reader=reader)
    yield from _each(repository, Chosen(), abstract=False, templates=templates)


def _chosen(
    repository: Repository, chosen: Chosen, *, abstract: bool = True
) -> Iterator[tuple[str, Row]]:
    """Yield the wanted components with their manifests, by manifest."""
    for path, one in repository.listings().items():
        shown = names.path_name(path, repository.settings.stacks_dir)
        read = False
        for row in one.rows:
            if (
                not chosen.has_stack(row.stack, shown)
                or (chosen.kinds and row.kind not in chosen.kinds)
                or (row.abstract and not abstract)
            ):
                continue
            wanted = not chosen.components or row.component in chosen.components
            if not wanted and chosen.derived:
                read = True
                wanted = _base(repository, path, row) in chosen.components
            if wanted:
                yield path, row
        if read:
            repository.forget(path)


def _base(repository: Repository, path: str, row: Row) -> str:
    """Return the `component` of a component; its name where that cannot be told."""
    from wrapper.stacks import sections
    from wrapper.stacks.inherit import metadata_component

    tree, settings = repository.loader.tree(path), repository.settings
    try:
        body = sections.components_of(tree, row.kind, settings)[row.component]
        own = metadata_component(body) if isinstance(body, dict) else ""
        if own:
            return own
        found = sections.resolve(tree, row.kind, row.component, settings, ("metadata",))
    except WrapError:
        return row.component
    inherited = found.section["metadata"].get("component")
    return row.component if inherited else found.base or row.component


def _each(
    repository: Repository, chosen: Chosen, *, abstract: bool = True, templates: bool = True
) -> Iterator[Component]:
    from wrapper.stacks import component_of

    last = ""
    for path, row in _chosen(repository, chosen, abstract=abstract):
        if last and path != last:
            repository.forget(last)
        last = path
        tree = repository.loader.tree(path)
        made = component_of(
            repository, tree, row.kind, row.component, row.stack or "", templates=templates
        )
        if made is not None:
            yield made


def _empty(repository: Repository, stack: str | None) -> list[str]:
    """Return the names of the manifests that hold no component."""
    found = []
    for path, one in repository.listings().items():
        if one.rows or one.problems:
            continue
        merged = repository.loader.tree(path).merged
        shown = names.path_name(path, repository.settings.stacks_dir)
        section = {"vars": merged.get("vars") or {}, "settings": merged.get("settings") or {}}
        try:
            named = names.stack_name(section, repository.settings, path, merged.get("name"))
        except WrapError:
            named = None
        if Chosen(stack).has_stack(named or shown, shown):
            found.append(named or shown)
    return found


def problems(config: Config, world: World) -> list[str]:
    """Return what is wrong with the manifests, one line each; nothing when all is well.

    Checks syntax, imports, names, sections, inheritance and duplicates of every manifest below
    the stacks directory. Source: reference/atmos-stacks.md 6.5.
    """
    from wrapper.stacks import opened

    repository = opened(config, world, quiet=True)
    found: dict[str, None] = {}
    schema = schemas.load("manifest")
    for path in catalog.all_files(repository.settings):
        try:
            data = repository.read(path).data
        except WrapError as error:
            found[catalog.told(error)] = None
            continue
        for finding in schemas.findings(schema, data):
            found[f"{place(path, finding.keys)}: {finding.message}"] = None
    wrong = {line.rpartition(": `")[0] for line in found}
    seen: dict[tuple[str, str, str], Any] = {}
    for path, one in repository.listings().items():
        found.update(dict.fromkeys(one.problems))
        for row in one.rows:
            _check(repository, path, row, seen, found)
    return [line for line in found if _is_first(line, wrong)]


def _is_first(line: str, wrong: set[str]) -> bool:
    """Say whether a line tells more than that of the schema about the same place."""
    return not any(line.startswith(f"{at}: ") and ": `" not in line for at in wrong if at)


def _check(
    repository: Repository,
    path: str,
    row: Row,
    seen: dict[tuple[str, str, str], Any],
    found: dict[str, None],
) -> None:
    from wrapper.stacks import component_of
    from wrapper.stacks.duplicates import same

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


def manifests(config: Config, world: World) -> dict[str, tuple[str, ...]]:
    """Return each stack's files, relative to the stacks directory without extension.

    The stack's own manifest is the first, then what it imports, the nearest first.
    """
    from wrapper.stacks import opened

    repository = opened(config, world)
    base = repository.settings.stacks_dir
    found: dict[str, tuple[str, ...]] = {}
    for path, one in repository.listings().items():
        files = tuple(
            names.path_name(each, base) for each in reversed(repository.loader.tree(path).paths)
        )
        for row in one.rows:
            found.setdefault(row.stack or names.path_name(path, base), files)
    return found


def module_paths(config: Config, world: World, listed: list[Row]) -> list[str]:
    """Return the directory of each component, relative to the repository's base path."""
    import os

    from wrapper.stacks import component

    found = []
    for row in listed:
        made = component(config, world, row.component, row.stack or "", row.kind, templates=False)
        info = made.section.get("component_info")
        path = info.get("component_path") if isinstance(info, Mapping) else None
        path = os.path.join(config.base_path, str(path or row.component))
        found.append(os.path.relpath(path, config.base_path or "."))
    return found
