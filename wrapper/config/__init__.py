"""atmos.yaml and everything laid over it, as one value that knows where each key came from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from wrapper.config import basepath, defaults, files, functions, identities, personal, profiles
from wrapper.config.identities import Part
from wrapper.config.schema import checked, fold, known_auth
from wrapper.errors import ConfigError, Location
from wrapper.files import atmos_dir
from wrapper.merge import Layer, deep_merge, prune
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World


class Options(NamedTuple):
    """What the command line says about configuration.

    `profiles` is None when the flag was not given. `overrides` maps dotted keys to values.
    `passive` forbids to run programs: for prompts, completion and what only looks.
    """

    base_path: str | None = None
    config_files: tuple[str, ...] = ()
    config_dirs: tuple[str, ...] = ()
    profiles: tuple[str, ...] | None = None
    overrides: Mapping[str, Any] = {}
    passive: bool = False


class Config(NamedTuple):
    """The merged configuration.

    `data`: schema keys in lower case, names as written. Paths are absolute; '' where there is none.
    `auth_layers`: what each file says about `auth`, see `identities.layers`. `environ`: the
    process's environment with the `ATMOS_*` of the `env` section. `parts`: the files, lowest first.
    `overridden`: dotted key -> the flag or variable that set it. `secrets`: variables that `!env`
    read for credentials. `cli_config_path`: as `describe config` shows it. `seen`: each file that
    was read, with the digest of the very bytes that were parsed. `unrun`: sections with an `!exec`
    that was not run, with its place. `placed`: it could be another in another working directory
    that is configured by the same files.
    """

    data: dict[str, Any]
    dir: str
    base_path: str
    stacks_dir: str
    terraform_dir: str
    files: tuple[str, ...]
    profiles: tuple[str, ...]
    auth_layers: tuple[Layer, ...]
    environ: Mapping[str, str]
    git_root: str
    parts: tuple[Part, ...] = ()
    overridden: Mapping[str, str] = {}
    secrets: frozenset[str] = frozenset()
    warnings: tuple[str, ...] = ()
    cli_config_path: str = ""
    seen: Mapping[str, functions.Seen] = {}
    unrun: Mapping[str, Location] = {}
    placed: bool = False

    @property
    def digests(self) -> Mapping[str, str]:
        """Return the SHA-256 of each file's bytes as they were parsed, in hex by path."""
        return {path: seen.digest for path, seen in self.seen.items()}

    def where(self, *keys: str) -> Location | None:
        """Return the place of the setting that won; None for a default, a flag or a variable.

        Reads the file again, so it is for errors and explanations only.
        """
        from wrapper.config.places import where

        return where(self, keys)


def load(world: World, options: Options | None = None) -> Config:
    """Read the configuration that holds in `world.cwd`.

    Raises: ConfigError, UsageError for a profile that does not exist.
    Source: reference/atmos-stacks.md 1 and 2.
    """
    if not world.cwd:
        raise ConfigError("the working directory does not exist any more")
    config = _Load(world, options or Options()).result()
    if config.warnings:
        from wrapper import ui

        for warning in config.warnings:
            ui.warn(world, warning)
    return config


def given(options: Options, world: World) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the configuration files and directories that flags or variables name."""
    environ = world.environ
    return (
        options.config_files or _split(environ.get("ATMOS_CONFIG", "")),
        options.config_dirs or _split(environ.get("ATMOS_CONFIG_PATH", "")),
    )


def anchor_root(world: World) -> str:
    """Return the git root that takes part in looking for configuration; '' for none."""
    return "" if _is_off(world.environ) else files.git_root(world.cwd)


# What decides where files are and how stacks are called: without it nothing can be told.
_LAYOUT = ("base_path", "import", "profiles", "stacks")


class _Load:
    """One reading: three orders of the files that took part (see `identities`)."""

    def __init__(self, world: World, options: Options) -> None:
        self.world = world
        self.options = options
        self.environ: Mapping[str, str] = world.environ
        self.git_root = files.git_root(world.cwd)
        self.anchor_root = anchor_root(world)
        self.ordinary: list[Part] = []
        self.ranked: list[Part] = []
        self.defaults: list[Part] = []
        self.warnings: list[str] = []
        self.read: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, functions.Seen] = {}
        self.placed: list[str] = []

    def result(self) -> Config:
        sources, shown = self._sources()
        for source in sources:
            self._main_file(source)
        config_dir = self._config_dir(sources)
        if not sources:
            self._default_drop_ins()
        merged = _merge(self.ordinary, fallback=not sources)
        self.environ = _with_atmos_variables(self.world.environ, merged)
        functions.refuse_unrun(merged, ("profiles",))
        names = profiles.selected(self.options.profiles, self.environ, merged)
        if names:
            self._profiles(names, merged, config_dir)
            merged = _merge(self.ordinary, fallback=not sources)
        functions.refuse_unrun(merged, _LAYOUT)
        data, overridden, runtime_base = self._override(merged)
        base = self._resolved(data.get("base_path"), config_dir, runtime=runtime_base)
        auth = identities.merge_auth(self.ordinary, self.ranked)
        secrets: set[str] = set()
        data = {**data, "auth": known_auth({**auth, **_realm(data)})}
        unrun = {keys[0]: at for keys, at in functions.unrun(data) if keys}
        data = personal.kept(
            _plain(data, (), secrets), self.ordinary, self.world.home, self.warnings
        )
        return Config(
            data=data,
            dir=config_dir,
            base_path=base,
            stacks_dir=_below(base, data, "stacks"),
            terraform_dir=_below(base, data, "components", "terraform"),
            files=tuple(part.path for part in self.ordinary),
            profiles=names,
            auth_layers=identities.layers(self.defaults, self.ranked),
            environ=self.environ,
            git_root=self.git_root,
            parts=tuple(self.ordinary),
            overridden=overridden,
            secrets=frozenset(secrets),
            warnings=tuple(self.warnings),
            cli_config_path=shown,
            seen=self.seen,
            unrun=unrun,
            placed=bool(self.placed) or not config_dir,
        )

    def _sources(self) -> tuple[list[files.Source], str]:
        environ = self.world.environ
        named, directories = given(self.options, self.world)
        if named or directories:
            shown = [os.path.dirname(name) or "." for name in named] + list(directories)
            text = shown[0] if len(shown) == 1 else "".join(f"{path};" for path in shown)
            return files.given(named, directories, self.world.cwd), text
        sources = files.discover(environ, self.world.home, self.world.cwd, self.anchor_root)
        return sources, os.path.dirname(sources[-1].path) if sources else ""

    def _config_dir(self, sources: Sequence[files.Source]) -> str:
        """Return the directory of the last file found; of several given, of the last with a base."""
        if not sources:
            return ""
        if not any(given(self.options, self.world)):
            return os.path.dirname(sources[-1].path)
        paths = {source.path for source in sources}
        with_base = [p.path for p in self.ranked if p.path in paths and "base_path" in p.data]
        return os.path.dirname(with_base[-1] if with_base else sources[0].path)

    def _resolved(self, value: Any, config_dir: str, *, runtime: bool) -> str:
        """Return a base path; note whether it could be another in another working directory."""
        cwd, text = self.world.cwd, str(value or "")
        around = basepath.Anchors(self.anchor_root, config_dir, cwd, files.has_local_config(cwd))
        found = basepath.resolve(text, around, runtime=runtime)
        nowhere = around._replace(cwd=os.devnull, local=False)
        if found != basepath.resolve(text, nowhere, runtime=runtime):
            self.placed.append("base_path")
        return found

    def _read(self, path: str) -> dict[str, Any]:
        """Return a file's checked map; each file is read once, so its functions run once."""
        if path in self.read:
            return self.read[path]
        around = functions.Surroundings(
            self.environ,
            self.world.cwd,
            self.git_root,
            self.options.passive,
            self.seen,
            self.placed,
        )
        data = self.read[path] = checked(fold(functions.read_file(path, around)), path)
        functions.refuse_unrun(data, ("import", "base_path"))
        return data

    def _tree(self, path: str, anchors: tuple[str, str]) -> files.Tree:
        return files.read_tree(path, self._read, anchors, self.warnings.append, fetch=self._fetched)

    def _fetched(self, entry: str, path: str) -> list[str]:
        """Return the files that a remote import brings. Raises: ConfigError, NotFetched."""
        from wrapper.remote import store as remote

        address = remote.parse(entry, path)
        world = self.world._replace(fetches=self.world.fetches and not self.options.passive)
        found = remote.tree(address, world, at=path)
        return remote.config_files(found, address, path)

    def _main_file(self, source: files.Source) -> None:
        data = self._read(source.path)
        main = Part("config", source.path, data)
        below: list[files.Tree] = []
        if not source.plain:
            directory = os.path.dirname(source.path)
            anchors = (self._import_base(data, directory), directory)
            dropped = self._root_drop_ins(directory) + files.drop_ins(directory)
            below += [self._tree(path, anchors) for path in dropped]
            below += self._tree(source.path, anchors).imports
        self._add("config", main, below, main_last=True)

    def _root_drop_ins(self, directory: str) -> list[str]:
        if not self.anchor_root or self.anchor_root == directory:
            return []
        return files.drop_ins(self.anchor_root)

    def _default_drop_ins(self) -> None:
        if self.anchor_root:
            for path in files.drop_ins(self.anchor_root):
                self._add("config", Part("config", path, self._read(path)), [], main_last=True)

    def _import_base(self, data: Mapping[str, Any], directory: str) -> str:
        runtime = self.options.base_path or self.world.environ.get("ATMOS_BASE_PATH")
        value = runtime or data.get("base_path")
        return self._resolved(value, directory, runtime=bool(runtime))

    def _profiles(self, names: Sequence[str], data: Mapping[str, Any], config_dir: str) -> None:
        xdg = atmos_dir(self.world.environ, "CONFIG")
        where = profiles.places(data, config_dir or self.world.cwd, xdg)
        for name in names:
            profile = profiles.find(name, where)
            anchors = (profile.path, profile.path)
            imported: set[str] = set()
            for path in profile.files:
                if path in imported:
                    continue
                tree = self._tree(path, anchors)
                imported.update(below.path for below in files.upper_last(tree))
                part = Part("profile", path, tree.data)
                self._add("profile", part, tree.imports, main_last=False)

    def _add(
        self, section: str, main: Part, below: Sequence[files.Tree], *, main_last: bool
    ) -> None:
        """Take a file and what it brings into the three orders.

        `main_last`: values of identities in imports beat the file, as in atmos.yaml.
        """
        made: dict[str, Part] = {}

        def part(tree: files.Tree) -> Part:
            data = tree.data
            if not main_last and "env" in main.data and "env" in data:
                data = {key: value for key, value in data.items() if key != "env"}
            return made.setdefault(tree.path, Part(section, tree.path, data))

        imported = [part(tree) for top in below for tree in files.upper_last(top)]
        self.ordinary += [*imported, main]
        self.ranked += [main, *imported] if main_last else [*imported, main]
        self.defaults += [part(tree) for top in below for tree in files.importer_last(top)]
        self.defaults.append(main)

    def _override(self, data: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str], bool]:
        """Lay variables, then flags over the files; say whether the base path is one of them."""
        overridden: dict[str, str] = {}
        for key, (value, name) in defaults.from_environment(self.environ).items():
            data = defaults.put(data, key, value)
            overridden[key] = name
        for key, value in self.options.overrides.items():
            data = defaults.put(data, key, value)
            overridden[key] = "the command line"
        if self.options.base_path is not None:
            data = defaults.put(data, "base_path", self.options.base_path)
            overridden["base_path"] = "--base-path"
        return data, overridden, "base_path" in overridden


def _merge(parts: Sequence[Part], *, fallback: bool) -> dict[str, Any]:
    merged: dict[str, Any] = dict(defaults.ALWAYS)
    if fallback:
        merged = deep_merge(merged, defaults.WITHOUT_FILES)
    for part in parts:
        merged = deep_merge(merged, part.data)
    pruned = prune(merged)
    assert isinstance(pruned, dict)
    return pruned


def _with_atmos_variables(environ: Mapping[str, str], data: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the environment with the `ATMOS_*` of the `env` section under it (reference 1.9)."""
    section = data.get("env")
    if not isinstance(section, Mapping):
        return environ
    ours = {k: env_text(v) for k, v in section.items() if k.startswith("ATMOS_") and v is not None}
    return {**ours, **environ} if ours else environ


def env_text(value: Any) -> str:
    """Return a value of the `env` section as a variable's text."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value)


def _realm(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the realm that a variable or file names; it is not an ordinary part of `auth`."""
    section = data.get("auth")
    realm = section.get("realm") if isinstance(section, Mapping) else None
    return {} if realm is None else {"realm": realm}


def _plain(value: Any, keys: tuple[str, ...], secrets: set[str]) -> Any:
    """Return the value with plain text only; collect the variables that hold credentials."""
    if isinstance(value, Mapping):
        return {key: _plain(entry, (*keys, key), secrets) for key, entry in value.items()}
    if isinstance(value, list):
        return [_plain(entry, keys, secrets) for entry in value]
    if isinstance(value, functions.FromEnv):
        if keys[0] == "auth" and ("credentials" in keys or keys[-1] == "password"):
            secrets.add(value.variable)
        return str(value)
    return value


def _below(base: str, data: Mapping[str, Any], *keys: str) -> str:
    section: Any = data
    for key in keys:
        section = section.get(key) or {}
    path = section.get("base_path")
    return os.path.normpath(os.path.join(base, path)) if path else ""


def _is_off(environ: Mapping[str, str]) -> bool:
    return environ.get("ATMOS_GIT_ROOT_BASEPATH", "").lower() in ("false", "0", "f")


def _split(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def describe(config: Config) -> dict[str, Any]:
    """Return what `describe config` prints."""
    from wrapper.config.places import described

    return described(config)
