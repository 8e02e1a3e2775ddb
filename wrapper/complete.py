"""What may stand at the cursor: names from the configuration and the index, nothing run.

Answers as cobra's `__complete` does, so that scripts written for Atmos go on working.
Source: reference/atmos-stacks.md 7, reference/atmos-auth.md 2.1.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from wrapper.errors import WrapError

if TYPE_CHECKING:
    from wrapper.config import Config, Options
    from wrapper.world import World

# What the shell may do beside the names given: nothing, or offer file names.
NAMES_ONLY, ITS_OWN = 4, 0

TERRAFORM = ("terraform", "tofu", "tf")
_TAKES_IDENTITY = ("login", "logout", "whoami", "env", "exec", "shell", "console")
_TAKES_COMPONENT = (
    ("describe", "component"), ("describe", "dependents"),
    ("list", "values"), ("list", "vars"), ("list", "settings"), ("list", "metadata"),
)  # fmt: skip
_WORDS = {
    (): (
        "allow", "auth", "aws", "az", "deny", "describe", "exec", "gcloud", "kubectl", "list",
        "profile", "revoke", "terraform", "tofu", "trust", "validate", "version", "why", "workflow",
    ),
    ("auth",): (
        "console", "env", "exec", "list", "login", "logout", "shell", "user", "validate", "whoami",
    ),
    ("describe",): ("component", "config", "dependents", "schema", "stacks"),
    ("describe", "schema"): ("config", "manifest"),
    ("list",): (
        "components", "identities", "instances", "metadata", "profiles", "settings", "stacks",
        "values", "vars",
    ),
    ("profile",): ("list", "show"),
    ("trust",): ("list", "prune"),
    ("validate",): ("stacks",),
    ("terraform", "generate"): ("backend", "backends", "varfile", "varfiles"),
}  # fmt: skip
_SUBCOMMANDS = (
    "apply", "clean", "console", "deploy", "destroy", "fmt", "force-unlock", "generate", "get",
    "graph", "import", "init", "output", "plan", "providers", "refresh", "shell", "show", "state",
    "taint", "test", "untaint", "validate", "version", "workspace",
)  # fmt: skip
_VALUED = {
    "--identity": "identity", "-i": "identity", "--stack": "stack", "-s": "stack",
    "--profile": "profile", "--component": "component", "-c": "component",
    "--format": "format", "-f": "format",
}  # fmt: skip
# Values that the shell completes by itself; Atmos leaves providers to it, too.
_FILES = (
    "--base-path", "--config", "--config-path", "--chdir", "-C", "--file", "--planfile", "--provider",
    "-p",
)  # fmt: skip


class Line(NamedTuple):
    """A command line up to the cursor: bare words, values of our flags, the word begun."""

    words: tuple[str, ...]
    given: dict[str, str]
    flag: str
    current: str


def offer(argv: Sequence[str], options: Options, world: World) -> tuple[list[str], int]:
    """Return the names that fit, one per entry, and what else the shell may offer.

    `argv` is the line without the program, its last entry the word at the cursor. A configuration
    that cannot be read offers nothing.
    """
    line = read(argv)
    kind = wanted(line)
    if kind == "file":
        return [], ITS_OWN
    try:
        return names(kind, line, options, world), NAMES_ONLY
    except WrapError:
        return [], NAMES_ONLY


def read(argv: Sequence[str]) -> Line:
    """Take a line apart at the cursor."""
    words: list[str] = []
    given: dict[str, str] = {}
    flag = ""
    for token in argv[:-1]:
        if flag:
            given[_VALUED.get(flag, flag)] = token
            flag = ""
        elif token in _VALUED or token in _FILES:
            flag = token
        elif token.startswith("-"):
            name, equals, value = token.partition("=")
            if equals and name in _VALUED:
                given[_VALUED[name]] = value
        else:
            words.append(token)
    current = argv[-1] if argv else ""
    name, equals, value = current.partition("=")
    if not flag and equals and (name in _VALUED or name in _FILES):
        flag, current = name, value
    return Line(tuple(words), given, flag, current)


def wanted(line: Line) -> str:
    """Return what kind of name stands at the cursor; `file` leaves it to the shell."""
    if line.flag == "-f" and line.words[:1] == ("workflow",):
        return "file"
    if line.flag:
        return _VALUED.get(line.flag, "file")
    words = line.words
    if words[:1] and words[0] in TERRAFORM:
        if len(words) == 1:
            return "subcommand"
        if words[1] == "generate" and len(words) == 2:
            return "word"
        own = 3 if words[1] == "generate" else 2
        return "component" if len(words) == own and not line.current.startswith("-") else "file"
    if words[:1] == ("auth",) and len(words) == 2 and words[1] in _TAKES_IDENTITY:
        return "identity"
    if words in _TAKES_COMPONENT:
        return "component"
    if words in (("profile", "show"), ("why",)):
        return "profile" if words[0] == "profile" else "identity"
    return "word" if words in _WORDS else "file"


def names(kind: str, line: Line, options: Options, world: World) -> list[str]:
    """Return all names of a kind. Raises: WrapError when the configuration cannot be read."""
    if kind == "word":
        key = (
            ("terraform", *line.words[1:])
            if line.words[:1] and line.words[0] in TERRAFORM
            else line.words
        )
        return [word for word in _WORDS[key] if word.startswith(line.current)]
    if kind == "subcommand":
        return [word for word in _SUBCOMMANDS if word.startswith(line.current)]
    if kind == "format":
        return ["json", "yaml"]
    from wrapper import config

    loaded = config.load(world, options._replace(passive=True))
    if kind == "identity":
        known = (loaded.data.get("auth") or {}).get("identities") or {}
        return sorted(known, key=lambda name: (name.lower(), name))
    if kind == "profile":
        return _profiles(loaded, world)
    from wrapper import stacks

    if kind == "stack":
        component = line.given.get("component") or _component(line.words)
        return stacks.stack_names(loaded, world, component)
    return stacks.component_names(loaded, world, line.given.get("stack"))


def _component(words: Sequence[str]) -> str | None:
    if words[:1] and words[0] in TERRAFORM and len(words) > 2:
        return words[-1] if words[1] == "generate" else words[2]
    return words[2] if words[:2] == ("describe", "component") and len(words) > 2 else None


def _profiles(loaded: Config, world: World) -> list[str]:
    from wrapper.config import profiles
    from wrapper.files import atmos_dir

    xdg = atmos_dir(world.environ, "CONFIG")
    where = profiles.places(loaded.data, loaded.dir or world.cwd, xdg)
    return sorted({profile.name for profile in profiles.available(where)})
