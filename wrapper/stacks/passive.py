"""What a stack's manifests say about `auth`, for a prompt: each file read once, nothing run.

The bytes that are hashed are the bytes that are parsed. Templates, YAML functions and remote imports
stay what they are; where the answer would depend on one of them, it is in doubt, with its place.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping

from wrapper.errors import Location, StackError, WrapError
from wrapper.merge import Layer, deep_merge, prune
from wrapper.remote import is_remote
from wrapper.stacks.imports import Loader
from wrapper.stacks.manifest import Fault, Manifest, is_template
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.config.functions import Seen
    from wrapper.stacks.catalog import Listing
    from wrapper.stacks.imports import Entry, Tree
    from wrapper.stacks.repository import Repository
    from wrapper.stacks.settings import Settings
    from wrapper.world import World

_KIND = "terraform"
# Words in a template that may decide who signs.
_TELLING = re.compile(rb"^[^#\n]*?\b(auth|import)\b", re.M)


class Doubt(NamedTuple):
    """Why something cannot be told without running code, and where."""

    what: str
    at: Location


class Said(NamedTuple):
    """What the manifests of one stack say about `auth`, without what `atmos.yaml` says.

    `auth` and `layers` hold for the whole stack, `components` for those that say more. `files` are
    the manifests in which `auth` stands: path -> digest and status. `watch` are all the files and
    directories that took part, and the index: it tells of other manifests. `doubts` are of the whole stack, `loose` of its components.
    """

    stack: str
    auth: Mapping[str, Any]
    layers: tuple[Layer, ...]
    components: Mapping[str, Mapping[str, Any]]
    trees: tuple[Tree, ...]
    files: Mapping[str, Seen]
    watch: tuple[str, ...]
    doubts: tuple[Doubt, ...]
    loose: tuple[Doubt, ...]


class Passive:
    """One look at the manifests of a repository; each file is read once."""

    def __init__(self, config: Config, world: World) -> None:
        from wrapper import stacks

        self.config, self.world = config, world
        self.repository: Repository = stacks.opened(config, world, quiet=True)
        self.seen: dict[str, Seen] = {}
        self.parsed: dict[str, Manifest] = {}
        self.doubts: dict[str, list[Doubt]] = {}
        self.loose: dict[str, list[Doubt]] = {}
        self.around: set[str] = set()
        self.loader = _Loader(self)

    @property
    def settings(self) -> Settings:
        """Return how manifests are read and named."""
        return self.repository.settings

    def stacks(self) -> dict[str, list[str]]:
        """Return the manifests of each stack."""
        found: dict[str, list[str]] = {}
        for path, listing in self.repository.listings().items():
            for name in dict.fromkeys(row.stack for row in listing.rows if row.stack):
                found.setdefault(name, []).append(path)
        return dict(sorted(found.items()))

    def stack(self, name: str) -> Said:
        """Return what a stack's manifests say. Raises: StackError, ConfigError.

        The index only says where to look: what is found there must give the stack its name.
        """
        index = self.repository.index
        paths = [] if index.stale("") else index.stacks(name)
        if paths:
            found = self.said(name, paths)
            if all(self._named(tree, name) for tree in found.trees):
                return found
        paths = self.repository.by_name(name)
        if not paths:
            raise self.repository.unknown(name, "")
        return self.said(name, paths)

    def said(self, name: str, paths: list[str]) -> Said:
        """Return what manifests say that are the stack's; their bytes must tell its name, too."""
        trees = tuple(self.loader.tree(path) for path in paths)
        auth: Mapping[str, Any] = {}
        layers: list[Layer] = []
        doubts: list[Doubt] = []
        components: dict[str, Mapping[str, Any]] = {}
        feeding: dict[str, Seen] = {}
        watch = [self.repository.index.path, *sorted(self.around)]
        for tree in trees:
            own = {source.path for source in tree.files if _says(source.data)}
            doubts += [one for path in tree.paths for one in self.doubts.get(path, ())]
            if own and not self._named(tree, name):
                at = Location(tree.path, 1, 1)
                doubts.append(Doubt("its name depends on what is not run at a prompt", at))
            feeding |= {path: self.seen[path] for path in sorted(own)}
            auth = deep_merge(auth, tree.merged.get("auth") or {}, self.settings.strategy)
            for source in tree.files:
                if isinstance(source.data.get("auth"), dict):
                    layers.append(Layer("stack", source.path, ("auth",), source.data["auth"]))
            components |= self._components(tree)
            watch += [*tree.paths, *tree.reads, os.path.dirname(tree.path)]
        loose = [one for tree in trees for path in tree.paths for one in self.loose.get(path, ())]
        return Said(
            name, prune(auth), tuple(layers), components, trees, feeding,
            tuple(dict.fromkeys(watch)), tuple(dict.fromkeys(doubts)), tuple(dict.fromkeys(loose)),
        )  # fmt: skip

    def below(self, directory: str) -> tuple[list[str], str]:
        """Return the stacks whose manifests lie in a directory (a real path) or below it.

        Also the first of these manifests that cannot be read, '' for none.
        """
        top = self.settings.stacks_dir
        place = os.path.normpath(
            os.path.join(top, os.path.relpath(directory, os.path.realpath(top)))
        )
        found: set[str] = set()
        broken = ""
        for path, listing in self._listings(place).items():
            self.around |= {place, os.path.dirname(path)}
            names = {row.stack for row in listing.rows if row.stack}
            if not names and listing.problems:
                broken = broken or path
            found |= names
        return sorted(found), broken

    def _listings(self, place: str) -> dict[str, Listing]:
        index = self.repository.index
        if not index.stale(place + os.sep) or self.repository.warm():
            from wrapper.stacks import build

            stored = index.below(place)
            try:
                return {path: build.restored(one) for path, one in stored.items()}
            except (ValueError, TypeError):
                return {}
        every = self.repository.listings().items()
        return {path: one for path, one in every if path.startswith(place + os.sep)}

    def component(self, said: Said, module: str) -> list[str]:
        """Return the stack's components that live in a directory below the modules."""
        found = []
        for tree in said.trees:
            for name, body in _group(tree).items():
                base = self._base(tree, name, body)
                if base is not None and os.path.normpath(base) == module:
                    found.append(name)
        return list(dict.fromkeys(found))

    def auth(self, said: Said, name: str) -> tuple[Any, tuple[Layer, ...]]:
        """Return the whole `auth` that manifests give a component, and its own layers."""
        from wrapper import stacks
        from wrapper.stacks import sections

        for tree in said.trees:
            if name in _group(tree):
                found = sections.resolve(tree, _KIND, name, self.settings, ("auth",))
                layers = stacks.auth_layers(tree, found, name)
                own = tuple(layer for layer in layers if layer.section != "stack")
                return found.section.get("auth") or {}, own
        return {}, ()

    def _named(self, tree: Tree, name: str) -> bool:
        from wrapper.stacks import catalog

        return any(row.stack == name for row in catalog.listing(tree, self.settings).rows)

    def _components(self, tree: Tree) -> dict[str, Mapping[str, Any]]:
        """Return the whole `auth` of each component whose own is more than the stack's."""
        from wrapper.stacks import sections

        if not any(_says(source.data, below=True) for source in tree.files):
            return {}
        found: dict[str, Mapping[str, Any]] = {}
        for name, body in _group(tree).items():
            if _abstract(body):
                continue
            try:
                one = sections.resolve(tree, _KIND, name, self.settings, ("auth",)).section
            except WrapError as error:
                at = error.at[0] if error.at else Location(tree.path, 1, 1)
                place = at if isinstance(at, Location) else Location(str(at), 1, 1)
                self.loose.setdefault(tree.path, []).append(Doubt(error.message, place))
                continue
            if (one.get("auth") or {}) != prune(tree.merged.get("auth") or {}):
                found[name] = one.get("auth") or {}
        return found

    def _base(self, tree: Tree, name: str, body: Any) -> str | None:
        """Return the component's directory below the modules; None for an abstract one."""
        from wrapper.stacks import sections
        from wrapper.stacks.inherit import legacy_component, metadata_component

        if not isinstance(body, dict) or _abstract(body):
            return None
        own = metadata_component(body)
        metadata = body.get("metadata")
        inherits = isinstance(metadata, dict) and metadata.get("inherits")
        if not own and (legacy_component(body) or inherits):
            try:
                own = sections.resolve(tree, _KIND, name, self.settings, ("auth",)).base
            except WrapError:
                return None
        return own or name

    def read(self, path: str) -> Manifest:
        """Return a file's part that decides names and `auth`. Raises: ConfigError, StackError."""
        if path not in self.parsed:
            from wrapper.config import functions

            around = functions.Surroundings(
                self.world.environ, self.world.cwd, self.config.git_root, True, self.seen
            )
            self.parsed[path] = self._parsed(path, functions.read_bytes(path, around))
        return self.parsed[path]

    def _parsed(self, path: str, text: bytes) -> Manifest:
        from wrapper.stacks import catalog, kept

        if is_template(path) and b"{{" in text:
            told = _TELLING.search(text)
            where = self.doubts if told else self.loose
            line = text.count(b"\n", 0, told.start(1)) + 1 if told else 1
            doubt = Doubt(
                "a template decides it, and none is run at a prompt", Location(path, line, 1)
            )
            where.setdefault(path, []).append(doubt)
            return Manifest({})
        wanted = catalog.needed(self.settings)
        found = kept.load(path, text, self.seen[path].digest, self.settings, wanted, self.world)
        for keys in _templated(found.data):
            at = Location(path, _line(text, keys[-1]), 1)
            self.loose.setdefault(path, []).append(
                Doubt(f'the name "{keys[-1]}" is a template', at)
            )
        return found


class _Loader(Loader):
    """Imports as they are written: none is rendered, none is fetched."""

    def __init__(self, look: Passive) -> None:
        super().__init__(look.settings, look.read)
        self.look = look

    def _data(self, path: str, entry: Entry) -> tuple[dict[str, Any], Mapping[str, Any]]:  # noqa: ARG002
        from wrapper.stacks import rendering

        return rendering.without_locals(self.read(path).data), {}

    def _targets(
        self, item: Entry, path: str, position: int, carried: Mapping[str, Any]
    ) -> tuple[list[str], list[str]]:
        if "{{" in item.path or is_remote(item.path):
            what = "a template" if "{{" in item.path else "a remote file"
            doubt = Doubt(f"it imports {what}, {item.path}", self.where(path, position))
            self.look.doubts.setdefault(path, []).append(doubt)
            return [], []
        return super()._targets(item, path, position, carried)


def unclear(value: Any) -> str | Fault | None:
    """Return what in a value would have to be run: a template's text, a function; else None."""
    if isinstance(value, Fault):
        return value
    if isinstance(value, str):
        return value if "{{" in value else None
    items: list[Any] = []
    if isinstance(value, Mapping):
        items = [*value.keys(), *value.values()]
    elif isinstance(value, list):
        items = value
    for item in items:
        found = unclear(item)
        if found is not None:
            return found
    return None


def place(said: Said, text: str) -> Location:
    """Return where a template's text stands in the manifests that say who signs."""
    for path in reversed(list(said.files)):
        try:
            with open(path, "rb") as stream:
                data = stream.read(1 << 24)
        except OSError:
            continue
        if text.encode() in data:
            return Location(path, _line(data, text), 1)
    return Location([said.trees[0].path, *said.files][-1], 1, 1)


def _line(text: bytes, wanted: str) -> int:
    at = text.find(wanted.encode("utf-8", "surrogatepass"))
    return text.count(b"\n", 0, max(at, 0)) + 1


def _group(tree: Tree) -> Mapping[str, Any]:
    components = tree.merged.get("components")
    group = components.get(_KIND) if isinstance(components, dict) else None
    return group if isinstance(group, dict) else {}


def _abstract(body: Any) -> bool:
    metadata = body.get("metadata") if isinstance(body, dict) else None
    return isinstance(metadata, dict) and metadata.get("type") == "abstract"


def _says(data: Mapping[str, Any], *, below: bool = False) -> bool:
    """Say whether a file holds `auth`; with `below`, one for some components only."""
    if "auth" in data and not below:
        return True
    typed = data.get(_KIND)
    if _holds(typed) or _overridden(data) or _overridden(typed):
        return True
    components = data.get("components")
    group = components.get(_KIND) if isinstance(components, dict) else None
    bodies = list(group.values()) if isinstance(group, dict) else []
    return any(_holds(body) or _overridden(body) for body in bodies)


def _holds(section: Any) -> bool:
    return isinstance(section, dict) and "auth" in section


def _overridden(section: Any) -> bool:
    return isinstance(section, dict) and _holds(section.get("overrides"))


def _templated(data: Mapping[str, Any]) -> Iterator[tuple[str, ...]]:
    """Yield the keys of components whose name, or whose way to bases and modules, is a template."""
    components = data.get("components")
    group = components.get(_KIND) if isinstance(components, dict) else None
    for name, body in group.items() if isinstance(group, dict) else ():
        if "{{" in name:
            yield (name,)
        elif isinstance(body, dict):
            metadata = body.get("metadata")
            for key in ("component", "inherits"):
                found = unclear(metadata.get(key) if isinstance(metadata, dict) else None)
                if found is not None:
                    yield (name, str(found) if isinstance(found, str) else key)


def refuse(tag: str, value: Any, at: Location) -> Any:
    """Return what stands for a function of YAML that is not run."""
    if tag in ("!append", "!unset"):
        from wrapper import yamlio

        return yamlio.plain_tags(tag, value, at)
    return Fault(f"{tag} is not run at a prompt", *at)


def parse(text: bytes, path: str, delimiter: str) -> Manifest:
    """Return a manifest whose functions were not run. Raises: StackError."""
    from wrapper import yamlio

    try:
        data = yamlio.load(text, path, refuse, delimiter).data
    except WrapError as error:
        raise StackError(error.message, at=error.at, hint=error.hints) from error
    if data is None:
        data = {}
    if not isinstance(data, dict):
        raise StackError("a stack manifest must be a map", at=Location(path, 1, 1))
    return Manifest(data)
