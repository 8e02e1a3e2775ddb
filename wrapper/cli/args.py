"""What the command line says for every command, taken out before Typer parses the rest."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from wrapper.errors import UsageError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.auth import Setting
    from wrapper.config import Options
    from wrapper.world import World


class Flag(NamedTuple):
    """One option of ours. `takes` is `value`, `bool`, `optional` (identity) or `attached`.

    `attached` means: a value only behind `=`.
    """

    name: str
    short: str = ""
    takes: str = "value"


class Found(NamedTuple):
    """A flag met in an argument list: its value, and how many arguments it used."""

    flag: Flag
    value: str
    used: int


# The value of an identity flag without a value: ask the user.
BARE = "__SELECT__"

GLOBAL_FLAGS = (
    Flag("chdir", "C"),
    Flag("base-path"),
    Flag("config"),
    Flag("config-path"),
    Flag("profile"),
    Flag("edition"),
    Flag("logs-level"),
    Flag("logs-file"),
    Flag("settings-list-merge-strategy"),
    Flag("redirect-stderr"),
    Flag("stack", "s"),
    Flag("identity", "i", "optional"),
    Flag("no-color", takes="bool"),
    Flag("force-color", takes="bool"),
    Flag("force-tty", takes="bool"),
    Flag("interactive", takes="bool"),
    Flag("mask", takes="bool"),
    Flag("pager", takes="attached"),
)
_COMPONENT = Flag("component", "c")
# Flags that set a key of atmos.yaml, on commands that run no terraform.
_SETTING_FLAGS = (Flag("terraform-command"), Flag("terraform-dir"), Flag("stacks-dir"))
_OVERRIDES = {
    "logs-level": "logs.level",
    "logs-file": "logs.file",
    "edition": "edition",
    "settings-list-merge-strategy": "settings.list_merge_strategy",
    "terraform-command": "components.terraform.command",
    "terraform-dir": "components.terraform.base_path",
    "stacks-dir": "stacks.base_path",
}
_LISTS = ("config", "config-path", "profile")

TERRAFORM = ("terraform", "tofu", "tf")
# What follows these commands belongs to another program, from the first word that is not ours.
PASS_THROUGH = (
    ("gcloud",),
    ("az",),
    ("aws",),
    ("kubectl",),
    ("atmos",),
    ("exec",),
    ("auth", "exec"),
)
_WITH_COMPONENT = ("gcloud", "az", "aws", "kubectl", "atmos", "exec", "why")


class Globals(NamedTuple):
    """What the flags say that every command knows.

    `identity` is None without the flag; its value is `__SELECT__` for the flag without a name.
    `profiles` is None without the flag. Environment variables are not in here, but for `identity`
    when `split_globals` was given an environment.
    """

    chdir: str | None = None
    base_path: str | None = None
    config_files: tuple[str, ...] = ()
    config_dirs: tuple[str, ...] = ()
    profiles: tuple[str, ...] | None = None
    overrides: Mapping[str, Any] = {}
    identity: Setting | None = None
    stack: str | None = None
    component: str | None = None
    logs_level: str | None = None
    redirect_stderr: str | None = None
    no_color: bool = False
    force_color: bool = False
    interactive: bool | None = None
    # True for commands that only look: they run nothing.
    passive: bool = False

    @property
    def options(self) -> Options:
        """Return the part that decides which configuration is read."""
        from wrapper.config import Options

        return Options(
            base_path=self.base_path,
            config_files=self.config_files,
            config_dirs=self.config_dirs,
            profiles=self.profiles,
            overrides=self.overrides,
            passive=self.passive,
        )


def split_globals(
    argv: Sequence[str], environ: Mapping[str, str] | None = None
) -> tuple[Globals, list[str]]:
    """Take the flags that every command knows out of an argument list.

    They may stand anywhere before `--`; behind a command that runs another program (`aws`,
    `exec`, …) only up to that program's first word. Everything else is returned in order. With
    `environ`, `ATMOS_IDENTITY` counts when there is no flag. Not for `terraform`: its arguments
    are split by `wrapper.terraform.arguments`.

    Raises: UsageError for a flag without its value.
    Source: reference/atmos-stacks.md 1.11, reference/atmos-auth.md 2.1.
    """
    given: list[Found] = []
    rest: list[str] = []
    words: list[str] = []
    index = 0
    while index < len(argv):
        token = argv[index]
        if token == "--" or _is_foreign(words):
            rest.extend(argv[index:])
            break
        found = match(argv, index, _flags_for(words))
        if found is not None:
            given.append(found)
            index += found.used
            continue
        rest.append(token)
        if not token.startswith("-"):
            words.append(token)
        index += 1
    under_auth = words[:1] == ["auth"]
    return collect(given, environ or {}, empty_identity=None if under_auth else BARE), rest


def _flags_for(words: Sequence[str]) -> tuple[Flag, ...]:
    if words and words[0] in _WITH_COMPONENT:
        return (*GLOBAL_FLAGS, _COMPONENT)
    if words[:1] == ["auth"]:
        return (*GLOBAL_FLAGS, _COMPONENT)
    return (*GLOBAL_FLAGS, *_SETTING_FLAGS)


def _is_foreign(words: Sequence[str]) -> bool:
    """Say whether the words so far name a program's command and that program's first word."""
    return any(
        len(words) > len(command) and tuple(words[: len(command)]) == command
        for command in PASS_THROUGH
    )


def command_at(argv: Sequence[str]) -> int | None:
    """Return the index of the command word: the first that is neither a flag of ours nor its value.

    None when there is no such word before `--`.
    """
    index = 0
    while index < len(argv) and argv[index] != "--":
        found = match(argv, index, GLOBAL_FLAGS)
        if found is not None:
            index += found.used
        elif argv[index].startswith("-"):
            index += 1
        else:
            return index
    return None


def match(
    argv: Sequence[str], index: int, flags: Sequence[Flag], *, glued: bool = True
) -> Found | None:
    """Return the flag of ours that stands at `index`, or None.

    Long flags match whole (`--stack`, `--stack=x`), short ones as `-s x`, `-s=x` and, when `glued`,
    `-sx`. Raises: UsageError when the value is missing.
    """
    token = argv[index]
    if len(token) < 2 or token[0] != "-":
        return None
    if token.startswith("--"):
        name, equals, value = token[2:].partition("=")
        flag = next((f for f in flags if f.name == name), None)
        written = "--" + name
    else:
        flag = next((f for f in flags if f.short and f.short == token[1]), None)
        written = token[:2]
        equals, value = token[2:3], token[3:]
        if flag is not None and equals not in ("", "="):
            if not glued or flag.takes != "value":
                return None
            value = token[2:]
    if flag is None:
        return None
    if equals:
        return Found(flag, value, 1)
    following = argv[index + 1] if index + 1 < len(argv) else None
    if flag.takes == "bool":
        return Found(flag, "true", 1)
    if flag.takes == "attached":
        return Found(flag, "", 1)
    if flag.takes == "optional":
        if following is None or following.startswith("-"):
            return Found(flag, BARE, 1)
        return Found(flag, following, 2)
    if following is None:
        raise UsageError(f"flag needs an argument: {written}")
    return Found(flag, following, 2)


def collect(
    given: Sequence[Found], environ: Mapping[str, str], *, empty_identity: str | None = BARE
) -> Globals:
    """Return the flags met as one value; of a flag given twice the last counts, lists add up.

    `empty_identity` is what `--identity=` means: None for no flag at all. Flags that are none of
    the global ones are passed over. Raises: UsageError for a Boolean that is none.
    """
    last = {found.flag.name: found.value for found in given}
    lists: dict[str, list[str]] = {}
    for found in given:
        if found.flag.name in _LISTS:
            items = [item.strip() for item in found.value.split(",")]
            lists.setdefault(found.flag.name, []).extend(item for item in items if item)
    interactive = last.get("interactive")
    return Globals(
        chdir=last.get("chdir") or None,
        base_path=last.get("base-path"),
        config_files=tuple(lists.get("config", ())),
        config_dirs=tuple(lists.get("config-path", ())),
        profiles=tuple(lists["profile"]) if "profile" in lists else None,
        overrides={key: last[flag] for flag, key in _OVERRIDES.items() if flag in last},
        identity=_identity(last.get("identity"), environ, empty_identity),
        stack=last.get("stack"),
        component=last.get("component"),
        logs_level=last.get("logs-level"),
        redirect_stderr=last.get("redirect-stderr"),
        no_color=truth("no-color", last.get("no-color", "false")),
        force_color=truth("force-color", last.get("force-color", "false")),
        interactive=None if interactive is None else truth("interactive", interactive),
    )


def _identity(flag: str | None, environ: Mapping[str, str], empty: str | None) -> Setting | None:
    wanted = empty if flag == "" else flag
    if wanted is not None:
        from wrapper.auth import Setting

        return Setting(wanted, "--identity")
    if environ.get("ATMOS_IDENTITY"):
        from wrapper.auth import Setting

        return Setting(environ["ATMOS_IDENTITY"], "ATMOS_IDENTITY")
    return None


def truth(name: str, text: str) -> bool:
    """Read a Boolean flag as Go's strconv.ParseBool does. Raises: UsageError."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise UsageError(
        f'invalid argument "{text}" for the flag --{name}', hint="it takes true or false"
    )


def enter(given: Globals, world: World) -> World:
    """Change to the directory of `--chdir` or `ATMOS_CHDIR`; return the world seen from there.

    `--no-color`, `--interactive` and `--logs-level` become the variables that every other part reads.
    Raises: UsageError when the directory is not there.
    """
    environ = dict(world.environ)
    if given.no_color:
        environ["NO_COLOR"] = "1"
    if given.interactive is not None:
        environ["ATMOS_INTERACTIVE"] = "true" if given.interactive else "false"
    if given.logs_level:
        environ["ATMOS_LOGS_LEVEL"] = given.logs_level
    wanted = given.chdir or environ.get("ATMOS_CHDIR", "")
    if not wanted:
        return world._replace(environ=environ)
    target = os.path.normpath(os.path.join(world.cwd, os.path.expanduser(wanted)))
    try:
        os.chdir(target)
    except (OSError, ValueError) as error:  # ValueError: a NUL in the path
        reason = getattr(error, "strerror", error)
        raise UsageError(
            f"cannot change to the directory {target}: {reason}",
            hint="see --chdir and ATMOS_CHDIR",
        ) from error
    environ["PWD"] = target
    return world._replace(environ=environ, cwd=target)
