"""The steps of workflows and custom commands: read from YAML, and run one after the other."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping, Sequence

from wrapper.cli import args
from wrapper.errors import ConfigError, Interrupted, Location, WrapError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.auth import Setting
    from wrapper.cli.args import Globals
    from wrapper.config import Config
    from wrapper.process import Child
    from wrapper.world import World

Where = Callable[[tuple[str | int, ...]], Location]
# Variables that say what flags say: an `atmos` step reads the configuration that we read.
_SET_BY = (
    ("ATMOS_STACKS_BASE_PATH", "stacks.base_path"),
    ("ATMOS_COMPONENTS_TERRAFORM_COMMAND", "components.terraform.command"),
    ("ATMOS_COMPONENTS_TERRAFORM_BASE_PATH", "components.terraform.base_path"),
    ("ATMOS_SETTINGS_LIST_MERGE_STRATEGY", "settings.list_merge_strategy"),
    ("ATMOS_LOGS_LEVEL", "logs.level"),
    ("ATMOS_LOGS_FILE", "logs.file"),
)
_KEYS = ("name", "command", "type", "stack", "identity", "env", "working_directory")


class Node(NamedTuple):
    """A piece of YAML: its value, its key path, and the places of the file it stands in."""

    value: Any
    path: tuple[str | int, ...]
    where: Where

    @property
    def at(self) -> Location:
        """Return its place."""
        return self.where(self.path)

    def get(self, key: str | int, default: Any = None) -> Node:
        """Return what stands under a key of a map, or at a place of a list; without it `default`."""
        inside = isinstance(self.value, Mapping) and key in self.value
        value = self.value[key] if inside or isinstance(key, int) else None
        return Node(default if value is None else value, (*self.path, key), self.where)

    def text(self, what: str) -> str:
        """Return a text, without blanks around it. Raises: ConfigError when it is none."""
        if not isinstance(self.value, str):
            raise ConfigError(f"{what}: must be text", at=self.at)
        return str(self.value).strip()

    def map(self, what: str, allowed: Sequence[str] | None = None) -> Node:
        """Return it, when it is a map of these keys. Raises: ConfigError with the key's place."""
        if not isinstance(self.value, Mapping):
            raise ConfigError(f"{what}: must be a map", at=self.at)
        for key in self.value:
            if allowed is not None and key not in allowed:
                raise ConfigError(
                    f"{what}: `{key}` is not supported",
                    at=self.get(key).at,
                    hint=f"supported are {', '.join(allowed)}; `atmos` itself knows more",
                )
        return self

    def items(self, what: str) -> Iterator[Node]:
        """Return the entries of a list. Raises: ConfigError when it is none."""
        if not isinstance(self.value, list):
            raise ConfigError(f"{what}: must be a list", at=self.at)
        return (self.get(index) for index in range(len(self.value)))


class Step(NamedTuple):
    """One step. `env` is laid over the shell's; `cwd` is absolute, '' for where the user is.

    `kind` is `atmos` (words for this program) or `shell`. `wanted` is the identity's name with its
    place; None without one.
    """

    name: str
    kind: str
    command: str
    stack: str
    wanted: Setting | None
    env: Mapping[str, Any]
    cwd: str
    at: Location


def read(node: Node, number: int, kind: str, base: str, cwd: str = "") -> Step:
    """Return a step: a command as text (of this `kind`), or a map.

    `number` counts from 1 and names a step without a name. `base` is what a relative working
    directory lies below, `cwd` the one of a step that has none. Raises: ConfigError with the place.
    """
    from wrapper.auth import Setting

    given = {"command": node.value} if isinstance(node.value, str) else node.value
    entry = Node(given, node.path, node.where).map(f"step {number}", _KEYS)
    name = entry.get("name", f"step{number}").text("name of a step") or f"step{number}"
    kind = entry.get("type", kind).text(f'step "{name}": type') or kind
    if kind not in ("atmos", "shell"):
        raise ConfigError(
            f'step "{name}": the type `{kind}` is not supported',
            at=entry.get("type").at,
            hint="supported are atmos and shell; `atmos` itself knows more",
        )
    command = entry.get("command", "").text(f'step "{name}": command')
    if not command:
        raise ConfigError(f'step "{name}" has no command', at=node.at)
    identity = entry.get("identity", "").text(f'step "{name}": identity')
    directory = entry.get("working_directory", "").text(f'step "{name}": working_directory')
    if directory and kind == "atmos":
        raise ConfigError(
            f'step "{name}": `working_directory` is for steps of type shell',
            at=entry.get("working_directory").at,
            hint="put `-C DIR` into the command",
        )
    return Step(
        name,
        kind,
        command,
        entry.get("stack", "").text(f'step "{name}": stack'),
        Setting(identity, str(entry.get("identity").at)) if identity else None,
        entry.get("env", {}).map(f'step "{name}": env').value,
        below(directory, base) if directory else ("" if kind == "atmos" else cwd),
        node.at,
    )


def below(directory: str, base: str) -> str:
    """Return a working directory as an absolute path."""
    return os.path.normpath(os.path.join(base, os.path.expanduser(directory)))


def check(steps: Sequence[Step], wanted: Setting | None, config: Config, world: World) -> None:
    """See that every identity that a step names is there, before the first one runs.

    An `atmos` step is left to the program it runs: a component may have identities of its own.
    Raises: ConfigError, Problems.
    """
    from wrapper import run
    from wrapper.auth import selection

    named = [step.wanted or wanted for step in steps if step.kind == "shell"]
    known = None
    for setting in dict.fromkeys(named):
        if setting is None or selection.is_off(setting) or setting.value == args.BARE:
            continue
        known = known or run.auth_of(config, None, world)
        selection.named(known, setting)


def once(wanted: Setting | None, config: Config, world: World) -> Setting | None:
    """Return the wish of the command line with the question `which identity` answered.

    Raises: NeedsLogin, Interrupted, ConfigError.
    """
    from wrapper import run

    if wanted is None or wanted.value != args.BARE:
        return wanted
    _, choice = run.chosen(config, None, wanted, world)
    return wanted._replace(value=choice.name or "false")


def words(step: Step, stack: str) -> list[str]:
    """Return the arguments of an `atmos` step, with its stack before a `--`.

    A command that runs another program gets no `-s`: what stands last there is the program's.
    Raises: ConfigError for quotes that do not end.
    Source: reference/atmos-auth.md 2.10 and Atmos's workflow steps.
    """
    import shlex

    try:
        found = shlex.split(step.command)
    except ValueError as fault:
        raise ConfigError(f'step "{step.name}": {str(fault).lower()}', at=step.at) from fault
    if not stack or _is_foreign(found):
        return found
    at = found.index("--") if "--" in found else len(found)
    return [*found[:at], "-s", stack, *found[at:]]


def _is_foreign(found: Sequence[str]) -> bool:
    return any(tuple(found[: len(one)]) == one for one in args.PASS_THROUGH)


def shown(step: Step, stack: str, wanted: Setting | None) -> str:
    """Return a step as `--dry-run` shows it: a comment, and the command."""
    import shlex

    setting = step.wanted or wanted
    told = [step.name]
    told += [f"identity {setting.value}"] if setting else []
    told += [f"in {step.cwd}"] if step.cwd else []
    line = step.command
    if step.kind == "atmos":
        line = shlex.join(["atmos-wrap", *words(step, stack)])
    return f"# {', '.join(told)}\n{line}\n"


def carry_out(
    step: Step,
    stack: str,
    wanted: Setting | None,
    config: Config,
    given: Globals,
    world: World,
) -> int:
    """Run one step; return its exit code.

    `wanted` is the identity of a step that names none. Its environment is the shell's, then `env`
    of the configuration, the step's own, and the identity's over all. A signal that reached us
    while it ran is an error. Raises: ConfigError, AuthError, ToolMissing, Interrupted.
    Source: reference/atmos-auth.md 2.10.
    """
    from wrapper import process, run
    from wrapper.terraform import environment

    environ = run.section_env(config.data.get("env") or {}).apply(config.environ)
    environ = run.section_env(step.env).apply(environ)
    setting = step.wanted or wanted
    try:
        if step.kind == "atmos":
            child = _ours(step, stack, setting, environ, given, world)
        else:
            if setting is not None:
                ready = run.sign_in(config, None, setting, world, environ=environ)
                environ = {**ready.environ, "ATMOS_IDENTITY": ready.choice.name or "false"}
            environ["ATMOS_SHLVL"] = environment.deeper(environ)
            child = process.shell(step.command, step.cwd or world.cwd, environ)
    except WrapError as error:
        error.at = (*error.at, f'in step "{step.name}", {step.at}')
        raise
    signals = process.Signals()
    world.stdout.flush()
    code = process.spawn(child, signals=signals)
    if signals.received:
        stopped = Interrupted(f'stopped in step "{step.name}"', at=step.at)
        stopped.exit_code = 128 + signals.received
        raise stopped
    return code


def _ours(
    step: Step,
    stack: str,
    setting: Setting | None,
    environ: Mapping[str, str],
    given: Globals,
    world: World,
) -> Child:
    """Return this very program with the step's words, told of the flags that we were given."""
    import sys

    from wrapper import process

    told: dict[str, str | None] = {
        **{name: str(given.overrides[key]) for name, key in _SET_BY if key in given.overrides},
        "ATMOS_BASE_PATH": given.base_path,
        "ATMOS_CONFIG": ",".join(given.config_files),
        "ATMOS_CONFIG_PATH": ",".join(given.config_dirs),
        "ATMOS_PROFILE": ",".join(given.profiles or ()),
        "ATMOS_IDENTITY": setting.value if setting else None,
        "ATMOS_STACK": stack,
    }
    made = {**environ, **{name: value for name, value in told.items() if value}}
    argv = (sys.executable, "-E", "-P", "-m", "wrapper", *words(step, stack))
    return process.Child(argv, world.cwd, made)
