"""Running a custom command: what the `commands` section of atmos.yaml adds to the command line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.cli import steps
from wrapper.cli.custom_command import KEYS, Command, Line, named, parse, read, usage
from wrapper.cli.steps import Node
from wrapper.errors import ConfigError, UsageError, near
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.auth import Setting
    from wrapper.cli.args import Globals
    from wrapper.config import Config
    from wrapper.world import World

__all__ = ["main", "read"]


def main(rest: Sequence[str], given: Globals, config: Config, world: World) -> int:
    """Run the custom command that the words name, or tell what it takes; return its exit code.

    `rest` begins with the name of a command that is there. Raises: UsageError, ConfigError,
    AuthError, StackError, ToolMissing, Interrupted.
    """
    command, words = named(rest, read(config))
    for node in command.nodes:
        node.map(f"command `{command.name}`", KEYS)
    own = words[: words.index("--")] if "--" in words else words
    if "--help" in own or "-h" in own or not command.get("steps", []).value:
        if own and own[0] not in ("--help", "-h"):
            hint = near(own[0], list(command.commands))
            raise UsageError(f'`{command.name}` has no command "{own[0]}"', hint=hint)
        world.stdout.write(usage(rest[: len(rest) - len(words)], command))
        return 0
    return _run(command, parse(command, words, given), given, config, world)


def _identity(command: Command, given: Globals) -> Setting | None:
    """Return the identity of the steps: `--identity`, else the command's own, else the variable.

    Raises: ConfigError when a command that names one is to run without.
    Source: reference/atmos-auth.md 2.10.
    """
    from wrapper.auth import Setting, selection

    own = command.text("identity")
    flag = given.identity if given.identity and given.identity.source == "--identity" else None
    if own and flag is not None and selection.is_off(flag):
        raise ConfigError(
            f'the command `{command.name}` runs as "{own}", not without an identity',
            at=command.get("identity").at,
            hint="name another one with --identity",
        )
    if flag is not None or not own:
        return flag or given.identity
    return Setting(own, str(command.get("identity").at))


def _run(command: Command, line: Line, given: Globals, config: Config, world: World) -> int:
    """Run the steps until one fails; return its exit code."""
    import shlex

    from wrapper import ui

    base = config.base_path
    directory = command.text("working_directory")
    cwd = steps.below(directory, base) if directory else ""
    found = [
        steps.read(node, number, "shell", base, cwd)
        for number, node in enumerate(command.items("steps"), 1)
    ]
    own = _identity(command, given)
    steps.check(found, own, config, world)
    wanted = steps.once(own, config, world)
    data: dict[str, Any] = {
        "Arguments": line.arguments,
        "Flags": line.flags,
        "TrailingArgs": shlex.join(line.trailing),
    }
    data.update(_component(command, data, wanted, config, world))
    env = _env(command, data, config, world)
    # All of them before the first one runs: a fault in the last template stops nothing half-way.
    todo = [
        step._replace(command=_text(step.command, data, node), env={**env, **step.env})
        for step, node in zip(found, command.items("steps"), strict=True)
    ]
    for step in todo:
        if command.get("verbose").value is True:
            ui.note(world, f"→ {step.command}")
        code = steps.carry_out(step, step.stack, wanted, config, given, world)
        if code:
            return code
    return 0


def _text(text: str, data: Mapping[str, Any], node: Node) -> str:
    from wrapper.stacks import template

    if "{{" not in text:
        return text
    return template.render(text, data, what="a custom command", at=node.at, strict=False)


def _component(
    command: Command, data: Mapping[str, Any], wanted: Setting | None, config: Config, world: World
) -> dict[str, Any]:
    """Return `ComponentConfig` for the templates, when the command asks for it.

    Raises: ConfigError, StackError, AuthError.
    """
    from wrapper import run, stacks

    section = command.get("component_config")
    if section.value is None:
        return {}
    section.map("component_config", ("component", "stack"))
    named: dict[str, str] = {}
    for key in ("component", "stack"):
        node = section.get(key, "")
        named[key] = _text(node.text(f"component_config: {key}"), data, node)
        if named[key] in ("", "<no value>"):
            raise UsageError(f"the command needs a {key}", hint=f"see {node.at}")
    component = stacks.component(config, world, named["component"], named["stack"])
    reader = run.reader(config, wanted, world)
    done = stacks.evaluate(component, config, world, config.environ, reader=reader, strict=True)
    return {"ComponentConfig": done.section}


def _env(
    command: Command, data: Mapping[str, Any], config: Config, world: World
) -> dict[str, str | None]:
    """Return the variables of a command: a map, or a list of keys with a value or a command.

    A later entry's command sees the earlier ones. Raises: ConfigError, ToolMissing.
    """
    node = command.get("env", [])
    found: dict[str, str | None] = {}
    if isinstance(node.value, Mapping):
        return {str(key): _value(node.get(key), data) for key in node.value}
    for entry in node.items(f"command `{command.name}`: env"):
        entry = _folded(entry.map("a variable"))
        entry.map("a variable", ("key", "value", "valueCommand"))
        key = entry.get("key", "").text("key of a variable")
        line = entry.get("valueCommand", "").text(f"variable {key}: valueCommand")
        if not key or (line and entry.get("value").value not in (None, "")):
            raise ConfigError(
                "a variable has a `key`, and either `value` or `valueCommand`", at=entry.at
            )
        made = _output(key, line, found, entry, config, world) if line else None
        found[key] = made if made is not None else _value(entry.get("value", ""), data)
    return found


def _folded(entry: Node) -> Node:
    """Return a variable's map with `valueCommand` as it is written in Atmos, whatever its case."""
    same = {"valuecommand": "valueCommand"}
    return entry._replace(value={same.get(k.lower(), k): v for k, v in entry.value.items()})


def _value(node: Node, data: Mapping[str, Any]) -> str:
    from wrapper.stacks.template import go_text

    return _text(node.value if isinstance(node.value, str) else go_text(node.value), data, node)


def _output(
    key: str,
    line: str,
    env: Mapping[str, str | None],
    entry: Node,
    config: Config,
    world: World,
) -> str:
    """Return what a shell command prints, without the line's end. Raises: ConfigError if it fails."""
    import tempfile

    from wrapper import process, run

    environ = run.section_env(config.data.get("env") or {}).apply(config.environ)
    environ = run.section_env(env).apply(environ)
    with tempfile.TemporaryFile() as stream:
        streams = process.Streams(stdout=stream.fileno())
        code = process.spawn(process.shell(line, world.cwd, environ), streams=streams)
        stream.seek(0)
        text = stream.read().decode("utf-8", "replace")
    if code:
        raise ConfigError(f"variable {key}: its command failed with exit code {code}", at=entry.at)
    return text.rstrip("\r\n")
