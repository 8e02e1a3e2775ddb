"""atmos.yaml and everything laid over it, as one value that knows where each key came from."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from wrapper.config import (
    basepath,
    defaults,
    files,
    functions,
    identities,
    laying,
    personal,
    profiles,
)
from wrapper.config.identities import Part
from wrapper.config.schema import check_level, checked, fold, known_auth
from wrapper.errors import ConfigError, Location
from wrapper.files import atmos_dir
from wrapper.merge import Layer
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
    off = world.environ.get("ATMOS_GIT_ROOT_BASEPATH") == "false"
    return "" if off else files.git_root(world.cwd)


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
        self.families: list[laying.Family] = []
        self.profile_env: dict[str, Any] = {}
        self.warnings: list[str] = []
        self.read: dict[str, dict[str, Any]] = {}
        self.seen: dict[str, functions.Seen] = {}
        self.placed: list[str] = []

    def result(self) -> Config:
        sources, shown = self._sources()
        given: list[files.Tree] = []
        for source in sources:
            self._main_file(source, given)
        config_dir = self._config_dir(sources)
        if not sources:
            self._default_drop_ins()
        merged = self._merged(fallback=not sources)
        self.environ = _with_atmos_variables(self.world.environ, merged)
        functions.refuse_unrun(merged, ("profiles",))
        names = profiles.selected(self.options.profiles, self.environ, merged)
        if names:
            self._profiles(names, merged, config_dir)
        merged = self._merged(fallback=not sources, pin=self._pin())
        functions.refuse_unrun(merged, _LAYOUT)
        data, overridden, runtime_base = self._override(merged)
        check_level(data, overridden.get("logs.level"), self.ordinary)
        base = self._resolved(data.get("base_path"), config_dir, runtime=runtime_base)
        auth = identities.merge_auth(self.ordinary, self.ranked)
        secrets: set[str] = set()
        data = {**data, "auth": known_auth({**auth, **_realm(data)})}
        unrun = {keys[0]: at for keys, at in functions.unrun(data) if keys}
        data = personal.kept(
            functions.plain(data, (), secrets), self.ordinary, self.world.home, self.warnings
        )
        return Config(
            data=data,
            dir=config_dir,
            base_path=base,
            stacks_dir=basepath.below(base, data, "stacks"),
            terraform_dir=basepath.below(base, data, "components", "terraform"),
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
        data = self.read[path] = checked(fold(functions.read_file(path, self._around())), path)
        functions.refuse_unrun(data, ("import", "base_path"))
        return data

    def _around(self) -> functions.Surroundings:
        passive, cwd = self.options.passive, self.world.cwd
        here = (self.environ, cwd, self.git_root, passive)
        return functions.Surroundings(*here, self.seen, self.placed)

    def _tree(self, path: str, anchors: tuple[str, str]) -> files.Tree:
        return files.read_tree(path, self._read, anchors, self.warnings.append, fetch=self._fetched)

    def _fetched(self, entry: str, path: str) -> list[str]:
        """Return the files that a remote import brings. Raises: ConfigError, NotFetched."""
        from wrapper.remote import store as remote

        address = remote.parse(entry, path)
        world = self.world._replace(fetches=self.world.fetches and not self.options.passive)
        found = remote.tree(address, world, at=path)
        return remote.config_files(found, address, path)

    def _main_file(self, source: files.Source, given: list[files.Tree]) -> None:
        """Take up a main file; `given` are the files that the command line named before."""
        main = files.Tree(source.path, self._read(source.path))
        directory = os.path.dirname(source.path)
        if source.plain:
            self._add("config", main, ())
        elif source.given:
            given.append(main)
            with_base = [tree.path for tree in given if tree.data.get("base_path")]
            start = os.path.dirname(with_base[-1]) if with_base else directory
            self._add("config", main, (), direct=True)
            for tree in self._imports(given, start):
                self._add("config", tree, tree.imports, direct=True)
        else:
            dropped = [*self._root_drop_ins(directory), *files.drop_ins(directory)]
            below = [files.Tree(path, self._read(path)) for path in dropped]
            self._add("config", main, [*below, *self._imports([*below, main], directory)])

    def _imports(self, family: Sequence[files.Tree], directory: str) -> tuple[files.Tree, ...]:
        """Return what a family of files imports: of several lists the last counts, as of any."""
        lists = [tree.path for tree in family if tree.data.get("import") is not None]
        bases = [tree.data["base_path"] for tree in family if tree.data.get("base_path")]
        if not lists:
            return ()
        plain = self._import_base(bases[-1] if bases else "", directory)
        return self._tree(lists[-1], (plain, directory)).imports

    def _root_drop_ins(self, directory: str) -> list[str]:
        if not self.git_root or self.git_root == directory:
            return []
        return files.drop_ins(self.git_root)

    def _default_drop_ins(self) -> None:
        if self.git_root:
            for path in files.drop_ins(self.git_root):
                self._add("config", files.Tree(path, self._read(path)), (), direct=True)

    def _import_base(self, value: Any, directory: str) -> str:
        runtime = self.options.base_path or self.world.environ.get("ATMOS_BASE_PATH")
        if not runtime and str(value).split("/")[0] in ("", ".", ".."):
            return os.path.normpath(os.path.join(directory, str(value)))
        return self._resolved(runtime or value, directory, runtime=bool(runtime))

    def _profiles(self, names: Sequence[str], data: Mapping[str, Any], config_dir: str) -> None:
        xdg = atmos_dir(self.world.environ, "CONFIG")
        where = profiles.places(data, config_dir or self.world.cwd, xdg)
        known = [name for part in self.ranked for name in identities.identities_of(part)]
        for name in names:
            imported: set[str] = set()
            for path in profiles.find(name, where, known).files:
                if path in imported:
                    continue
                tree = self._tree(path, (os.path.dirname(path),) * 2)
                below = [one for top in tree.imports for one in files.upper_last(top)]
                imported.update(one.path for one in below)
                self._add("profile", tree, tree.imports)
                for one in (*below, tree):
                    self._set_env(one, whole=one is tree and bool(below))

    def _set_env(self, tree: files.Tree, *, whole: bool) -> None:
        """Note what a file of a profile sets in `env` over everything else, see `laying`."""
        section = tree.data.get("env")
        if not isinstance(section, Mapping):
            return
        text = functions.read_bytes(tree.path, self._around()._replace(seen=None))
        names = section.keys() if whole else laying.set_names(tree.path, text)
        names = section.keys() if names is None else names
        taken = {key: section[key] for key in names if section.get(key) is not None}
        self.profile_env.update(taken)

    def _add(
        self,
        section: str,
        top: files.Tree,
        below: Sequence[files.Tree],
        *,
        direct: bool = False,
    ) -> None:
        """Take a file and what it brings into the three orders.

        Values of identities in what it brings beat the file, but not in a profile.
        """
        made: dict[str, Part] = {}
        main = Part(section, top.path, top.data)

        def part(tree: files.Tree) -> Part:
            return made.setdefault(tree.path, Part(section, tree.path, tree.data))

        imported = [part(tree) for one in below for tree in files.upper_last(one)]
        own = [main, *imported] if direct else [*imported, main]
        self.ordinary += own
        self.families.append(laying.Family(tuple(own), direct or section == "profile"))
        self.ranked += [*imported, main] if section == "profile" else [main, *imported]
        self.defaults += [part(tree) for one in below for tree in files.importer_last(one)]
        self.defaults.append(main)

    def _merged(self, *, fallback: bool, pin: str = "") -> dict[str, Any]:
        layout = (tuple(self.families), fallback, self.profile_env or None, pin)
        return laying.merged(laying.Layout(*layout))

    def _pin(self) -> str:
        """Return the edition that a flag or a variable names."""
        given = self.options.overrides.get("edition") or self.environ.get("ATMOS_EDITION") or ""
        return str(given).strip()

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


def _with_atmos_variables(environ: Mapping[str, str], data: Mapping[str, Any]) -> Mapping[str, str]:
    """Return the environment with the `ATMOS_*` of the `env` section under it (reference 1.9)."""
    section = data.get("env")
    if not isinstance(section, Mapping):
        return environ
    ours = {k: str(v) for k, v in section.items() if k.startswith("ATMOS_") and v is not None}
    return {**ours, **environ} if ours else environ


def _realm(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return the realm that a variable or file names; it is not an ordinary part of `auth`."""
    section = data.get("auth")
    realm = section.get("realm") if isinstance(section, Mapping) else None
    return {} if realm is None else {"realm": realm}


def _split(text: str) -> tuple[str, ...]:
    return tuple(item.strip() for item in text.split(",") if item.strip())


def describe(config: Config) -> dict[str, Any]:
    """Return what `describe config` prints."""
    from wrapper.config.places import described

    return described(config)
