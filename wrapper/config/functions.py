"""The YAML functions that atmos.yaml, its imports and profiles may use.

Source: reference/atmos-stacks.md 1.7.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator, Mapping

from wrapper import sha256
from wrapper.errors import ConfigError, Location
from wrapper.typed import Any, NamedTuple

SUPPORTED = (
    *("!env", "!exec", "!include", "!include.raw", "!repo-root", "!cwd", "!random"),
    *("!git.root", "!git.sha", "!git.branch", "!git.ref", "!git.repository"),
    *("!git.owner", "!git.name", "!git.host", "!git.url", "!unset", "!append"),
)


_LIMIT = 1 << 24


class FromEnv(str):  # noqa: SLOT000 (it has an attribute)
    """Text that `!env` gave; remembers the variable, so that a secret can be kept from programs."""

    variable: str = ""


class NotRun(str):  # noqa: SLOT000 (it has an attribute)
    """The text of an `!exec` that was not run, and where it stands."""

    at: Location


class Seen(NamedTuple):
    """One file as it was when it was read: SHA-256 of its bytes in hex, and its status."""

    digest: str
    status: os.stat_result


class Surroundings(NamedTuple):
    """What the functions may see. `passive` forbids to run programs: `!exec` stays a text.

    `seen` takes up every file that is read, `placed` each function that asked for the working
    directory.
    """

    environ: Mapping[str, str]
    cwd: str
    git_root: str
    passive: bool = False
    seen: dict[str, Seen] | None = None
    placed: list[str] | None = None


def read_file(path: str, around: Surroundings, trail: tuple[str, ...] = ()) -> dict[str, Any]:
    """Return the map that a file holds, functions evaluated, keys as written.

    Raises: ConfigError with the place.
    """
    data = _parse(read_bytes(path, around), path, around, trail)
    if data is None:
        return {}
    if not isinstance(data, dict):
        raise ConfigError("the file must hold a map", at=Location(path, 1, 1))
    return data


def _parse(text: bytes, path: str, around: Surroundings, trail: tuple[str, ...]) -> Any:
    from wrapper.config import parsed

    def evaluate(tag: str, value: Any, at: Location) -> Any:
        if tag in ("!append", "!unset"):
            from wrapper import yamlio

            return yamlio.plain_tags(tag, value, at)
        if tag not in SUPPORTED:
            raise ConfigError(
                f"{tag} cannot be used here", at=at, hint=f"supported: {' '.join(SUPPORTED)}"
            )
        if not isinstance(value, str):
            raise ConfigError(f"{tag} takes text", at=at)
        return _call(tag, value.strip(), at, around, (*trail, path))

    return parsed.load(path, text, around.environ, evaluate)


def read_bytes(path: str, around: Surroundings) -> bytes:
    """Return the bytes of a plain file, and note what was read.

    Raises: ConfigError also for a pipe or a device, and for a file that is other than it was a
    moment ago.
    """
    content, status = _opened(path)
    if around.seen is not None:
        found = Seen(sha256.hexdigest(content), status)
        if around.seen.setdefault(path, found).digest != found.digest:
            raise ConfigError("the file changed while it was read", at=path, hint="try again")
    return content


def _opened(path: str) -> tuple[bytes, os.stat_result]:
    flags = os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC  # a pipe would block
    try:
        descriptor = os.open(path, flags)
        with open(descriptor, "rb") as stream:
            status = os.fstat(descriptor)
            if not stat.S_ISREG(status.st_mode):
                raise ConfigError("not a plain file", at=path, hint="remove it, or name another")
            content = stream.read(_LIMIT + 1)
    except OSError as error:
        reason = error.strerror or error
        raise ConfigError(
            f"cannot read the file: {reason}", at=path, hint="check its permissions"
        ) from error
    if len(content) > _LIMIT:
        raise ConfigError(f"the file is larger than {_LIMIT >> 20} MiB", at=path)
    return content, status


def _call(tag: str, text: str, at: Location, around: Surroundings, trail: tuple[str, ...]) -> Any:
    if tag == "!env":
        return _env(text, at, around.environ)
    if tag == "!cwd":
        if around.placed is not None:
            around.placed.append(tag)
        return os.path.normpath(os.path.join(around.cwd, text)) if text else around.cwd
    if tag == "!random":
        return _random(text, at)
    if tag == "!exec":
        return _exec(text, at, around)
    if tag in ("!include", "!include.raw"):
        return _include(tag, text, at, around, trail)
    from wrapper.config import git

    return git.call(tag, text, at, around)


def words(text: str, at: Location) -> list[str]:
    """Split a function's arguments; quotes keep spaces. Raises: ConfigError."""
    if "'" not in text and '"' not in text and "\\" not in text:
        return text.split()
    import shlex

    try:
        return shlex.split(text)
    except ValueError as error:
        raise ConfigError(f"unbalanced quotes: {text}", at=at) from error


def _env(text: str, at: Location, environ: Mapping[str, str]) -> str:
    name, *default = words(text, at) or [""]
    if not name or len(default) > 1:
        raise ConfigError("!env takes the name of a variable, and a default", at=at)
    value = FromEnv(environ.get(name, default[0] if default else ""))
    value.variable = name
    return value


def _random(text: str, at: Location) -> int:
    import random

    bounds = words(text, at)
    try:
        numbers = [int(bound) for bound in bounds]
    except ValueError as error:
        raise ConfigError(f"!random takes whole numbers, not {text}", at=at) from error
    if len(numbers) > 2:
        raise ConfigError("!random takes at most two numbers", at=at)
    low, high = numbers if len(numbers) == 2 else (0, *numbers, 65535)[:2]
    if low > high:
        raise ConfigError(f"!random: {low} is more than {high}", at=at)
    return random.randint(low, high)  # noqa: S311 (not a secret)


def _exec(command: str, at: Location, around: Surroundings) -> Any:
    if around.passive:
        kept = NotRun(f"!exec {command}")
        kept.at = at
        return kept
    import json
    from subprocess import DEVNULL, PIPE

    from wrapper import children

    done = children.run(
        ["/bin/sh", "-c", command],
        cwd=around.cwd or None,
        env=dict(around.environ),
        stdin=DEVNULL,
        stdout=PIPE,
    )
    if done.returncode != 0:
        raise ConfigError(f"!exec ended with exit code {done.returncode}: {command}", at=at)
    text = done.stdout.decode("utf-8", "replace")
    try:
        return json.loads(text)
    except ValueError:
        return text.rstrip("\n")


def unrun(value: Any, keys: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Location]]:
    """Yield key path and place of each `!exec` that was not run."""
    if isinstance(value, NotRun):
        yield keys, value.at
    elif isinstance(value, Mapping):
        for key, entry in value.items():
            yield from unrun(key, keys)
            yield from unrun(entry, (*keys, str(key)))
    elif isinstance(value, list):
        for entry in value:
            yield from unrun(entry, keys)


def refuse_unrun(value: Any, sections: Collection[str]) -> None:
    """Refuse a value of one of these sections, or of a key of this name, that would have to be run.

    Raises: ConfigError.
    """
    for keys, at in unrun(value):
        if keys and (keys[0] in sections or keys[-1] in sections):
            raise ConfigError("!exec is not run here", at=at)


def plain(value: Any, keys: tuple[str, ...], secrets: set[str]) -> Any:
    """Return the value with plain text only; collect the variables that hold credentials."""
    if isinstance(value, Mapping):
        return {key: plain(entry, (*keys, key), secrets) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry, keys, secrets) for entry in value]
    if isinstance(value, FromEnv):
        if keys[0] == "auth" and ("credentials" in keys or keys[-1] == "password"):
            secrets.add(value.variable)
        return str(value)
    return value


def _include(
    tag: str, text: str, at: Location, around: Surroundings, trail: tuple[str, ...]
) -> Any:
    name, *query = words(text, at)[:2] or [""]
    if not name:
        raise ConfigError(f"{tag} needs a path", at=at)
    if "://" in name or "::" in name:
        raise ConfigError(f"{tag} of a remote file is not supported: {name}", at=at)
    path = _included(name, at, around)
    if path in trail:
        raise ConfigError(f"files include each other: {' -> '.join((*trail, path))}", at=at)
    content = read_bytes(path, around)
    if tag == "!include.raw":
        return content.decode("utf-8", "replace")
    value = _content(content, path, at, around, trail)
    for step in query[0].strip(".").split(".") if query else ():
        if step and (not isinstance(value, dict) or step not in value):
            raise ConfigError(f"{name} has no {query[0]}", at=at)
        value = value[step] if step else value
    return value


def _included(name: str, at: Location, around: Surroundings) -> str:
    """Find an included file: next to the file that names it, else in the git root, else in cwd."""
    places = (os.path.dirname(at.path), around.git_root, around.cwd)
    for place in places[: 1 if name.startswith(("./", "../")) else 3]:
        if place == around.cwd and around.placed is not None:
            around.placed.append("!include")
        path = os.path.normpath(os.path.join(place, name)) if place else ""
        if path and os.path.isfile(path):
            return path
    raise ConfigError(f"the included file {name} does not exist", at=at)


def _content(
    content: bytes, path: str, at: Location, around: Surroundings, trail: tuple[str, ...]
) -> Any:
    name = os.path.basename(path)
    extension = os.path.splitext(name)[1]
    if extension in (".yaml", ".yml", ".json"):
        return _parse(content, path, around, trail)
    if name == ".env" or name.startswith(".env.") or extension == ".env":
        from wrapper.config import dotenv

        return dotenv.parse(content.decode("utf-8", "replace"), path)
    if extension in (".hcl", ".tf", ".tfvars"):
        raise ConfigError(f"!include of {extension} files is not supported here", at=at)
    return content.decode("utf-8", "replace")
