"""What decides what a directory does to a shell: its files as they were read, and their meaning."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping

from wrapper import sha256, trust
from wrapper.errors import ConfigError
from wrapper.hook import pin
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config, Options
    from wrapper.stacks.passive import Said
    from wrapper.world import World

_SECRET = ("secret", "password", "token", "access_key", "private_key", "client_key", "credentials")
_FROM_VARIABLE = "(secret of a variable)"


def read(
    world: World, options: Options, more: Mapping[str, str] | None = None
) -> tuple[Config, trust.Closure] | None:
    """Return the configuration of a directory with its closure; None when there is none here.

    Nothing is run: see `Options.passive`. `more`: further files that feed the answer, with the
    digests of their bytes. Raises: ConfigError, UsageError as `config.load` does.
    """
    from wrapper import config

    top = where(world, options)
    if not top:
        return None
    path = pin.find(world.cwd, top)
    found = pin.read(path, world) if path else pin.Pin()
    options = options._replace(passive=True)
    if found.profile and options.profiles is None and not world.environ.get("ATMOS_PROFILE"):
        options = options._replace(profiles=found.profile)
    loaded = config.load(world, options)
    for section in ("auth", "wrap", "profiles", "env"):
        if section in loaded.unrun:
            raise ConfigError("!exec is not run here", at=loaded.unrun[section])
    root, lexical = os.path.realpath(top), _tree(top, loaded.git_root)
    tree = os.path.realpath(lexical)

    def named(path: str) -> str:
        """Return a path below the tree's real one; links in it stay, as each is a choice."""
        return tree + path[len(lexical) :] if _below(path, lexical) else path

    digests = {named(path): seen.digest for path, seen in loaded.seen.items()}
    stats = {named(path): seen.status for path, seen in loaded.seen.items()}
    if path:
        digests[named(path)] = found.digest
    digests.update((named(path), digest) for path, digest in (more or {}).items())
    settings = dict(_settings(loaded, found))
    return loaded, trust.Closure(root, digests, settings, tree, stats)


def part(said: Said, config: Config, known: trust.Closure) -> trust.Part:
    """Return what a stack's manifests say, as consent has it: files in which `auth` stands, meaning."""
    shared = dict(_flat(("auth",), _readable(said.auth), set()))
    settings = dict(shared)
    for name, section in said.components.items():
        own = dict(_flat(("auth",), _readable(section), set()))
        other = {key: own.get(key) for key in (*own, *shared) if own.get(key) != shared.get(key)}
        key_of = _dotted(("components", name))
        settings |= {f"{key_of}.{key}": value or "(none)" for key, value in other.items()}
    top = _tree(config.dir or known.root, config.git_root)
    tree = known.tree or known.root

    def named(path: str) -> str:
        return tree + path[len(top) :] if _below(path, top) else path

    return trust.Part(
        said.stack,
        {named(path): seen.digest for path, seen in said.files.items()},
        settings,
        {named(path): seen.status for path, seen in said.files.items()},
    )


def _readable(value: Any) -> Any:
    """Return a section with the texts of functions that were not run."""
    if isinstance(value, Mapping):
        return {key: _readable(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [_readable(entry) for entry in value]
    message = getattr(value, "message", None)
    return f"({message})" if isinstance(message, str) else value


def pinned(world: World, options: Options, known: trust.Closure) -> pin.Pin:
    """Return the pin of a closure. Raises: ConfigError when the file is another by now."""
    path = pin.find(world.cwd, where(world, options))
    found = pin.read(path, world) if path else pin.Pin()
    if set(_pin_settings(found)) != {(k, v) for k, v in known.settings.items() if k[:4] == "pin."}:
        raise ConfigError("the pin changed while it was read", at=path or world.cwd)
    return found


def where(world: World, options: Options) -> str:
    """Return the directory whose consent counts in `world.cwd`, as named there; '' for none.

    Reads no file. Raises: ConfigError when a flag or variable names what is not there.
    """
    from wrapper import config
    from wrapper.config import files

    if not world.cwd:
        return ""
    named, directories = config.given(options, world)
    if named or directories:
        return os.path.dirname(files.given(named, directories, world.cwd)[0].path)
    anchor = config.anchor_root(world)
    sources = files.discover(world.environ, world.home, world.cwd, anchor)
    found = os.path.dirname(sources[-1].path) if sources else ""
    if found and (_below(world.cwd, found) or world.environ.get("ATMOS_CLI_CONFIG_PATH")):
        return found
    # Drop-in files of a repository count also where there is no atmos.yaml.
    top = files.git_root(world.cwd)
    if top and files.drop_ins(top):
        return top
    path = pin.find(world.cwd, top)
    return os.path.dirname(path) if path else ""


def root(world: World, options: Options) -> str:
    """Return the real path of the directory whose consent counts, '' for none; reads no file."""
    top = where(world, options)
    return os.path.realpath(top) if top else ""


def _tree(top: str, git_root: str) -> str:
    return git_root if git_root and _below(top, git_root) else top


def _below(path: str, directory: str) -> bool:
    from wrapper.owners import below

    return below(path, directory)


def _settings(config: Config, pinned: pin.Pin) -> Iterator[tuple[str, str]]:
    """Yield what the files mean: dotted keys with JSON text."""
    from wrapper.config.functions import FromEnv

    given = {str(value) for part in config.parts for value in _texts(part.data, FromEnv)}
    for section in ("auth", "wrap", "profiles"):
        yield from _flat((section,), config.data.get(section), given)
    env = config.data.get("env")
    for name, value in env.items() if isinstance(env, Mapping) else ():
        if str(name).startswith("ATMOS_"):
            yield from _flat(("env", str(name)), value, given)
    if config.profiles:
        yield "profile", json.dumps(config.profiles)
    yield from _pin_settings(pinned)


def _pin_settings(pinned: pin.Pin) -> Iterator[tuple[str, str]]:
    for key in pin.KEYS:
        if getattr(pinned, key):
            yield f"pin.{key}", json.dumps(getattr(pinned, key))


def _texts(value: Any, kind: type) -> Iterator[str]:
    if isinstance(value, Mapping):
        for entry in value.values():
            yield from _texts(entry, kind)
    elif isinstance(value, list):
        for entry in value:
            yield from _texts(entry, kind)
    elif value and isinstance(value, kind):
        yield value  # type: ignore[misc]


def _flat(keys: tuple[str, ...], value: Any, given: set[str]) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, entry in value.items():
            yield from _flat((*keys, str(name)), entry, given)
    elif value is not None:
        secret = any(word in key.lower() for key in keys[3:] for word in _SECRET)
        shown = _marked(value, given, secret=secret)
        yield _dotted(keys), json.dumps(shown, sort_keys=True, default=str)


def _marked(value: Any, given: set[str], *, secret: bool) -> Any:
    """Return a value to be shown; of a secret in a file its digest, so that a change is seen."""
    if isinstance(value, Mapping):
        return {
            key: _marked(entry, given, secret=secret or any(w in str(key).lower() for w in _SECRET))
            for key, entry in value.items()
        }
    if isinstance(value, list):
        return [_marked(entry, given, secret=secret) for entry in value]
    text = str(value)
    if not secret and not ("://" in text and "@" in text):
        return value
    if text in given:
        return _FROM_VARIABLE
    return f"(secret {sha256.hexdigest(text.encode('utf-8', 'surrogatepass'))[:12]})"


def _dotted(keys: tuple[str, ...]) -> str:
    """Join keys by dots; a name that could be read otherwise stands in quotes."""
    top = ("auth", "env", "pin", "profile", "profiles", "wrap")
    name = keys[:2] == ("auth", "identities")
    return ".".join(
        json.dumps(key)
        if "." in key or not key.isprintable() or (name and at == 2 and key in top)
        else key
        for at, key in enumerate(keys)
    )
