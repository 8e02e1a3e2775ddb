"""`workflow`: the steps of a workflow file, each as its identity."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, NamedTuple, NoReturn

import typer

from wrapper.cli import steps
from wrapper.cli.steps import Node, Step
from wrapper.errors import ConfigError, Location, UsageError, WrapError, near

if TYPE_CHECKING:
    from wrapper.cli.session import Session
    from wrapper.config import Config

_FILE_KEYS = ("name", "description", "workflows")
_KEYS = ("name", "description", "stack", "env", "working_directory", "steps")
_SUFFIXES = (".yaml", ".yml")


class Workflow(NamedTuple):
    """One workflow: `file` as it is given to `-f`; the steps' `env` holds that of the workflow."""

    name: str
    file: str
    stack: str
    steps: tuple[Step, ...]


def register(app: typer.Typer) -> None:
    """Add the command to the application."""
    app.command("workflow")(workflow)


def workflow(
    ctx: typer.Context,
    name: Annotated[str, typer.Argument(help="the workflow's name")] = "",
    file: Annotated[
        str, typer.Option("--file", "-f", help="its file, below `workflows.base_path`")
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="show the steps only")] = False,
    from_step: Annotated[str, typer.Option("--from-step", help="begin with this step")] = "",
) -> int:
    """Run the steps of a workflow, each as the identity it names, until one fails.

    -s takes the place of the steps' stacks; -i is the identity of steps that name none.
    """
    session: Session = ctx.obj
    config, world, given = session.config(), session.world, session.globals
    found = find(name, file, config)
    todo = _from(found, from_step)
    stacks = [given.stack or step.stack or found.stack for step in todo]
    if dry_run:
        shown = [
            steps.shown(step, stack, given.identity)
            for step, stack in zip(todo, stacks, strict=True)
        ]
        world.stdout.write("".join(shown))
        return 0
    steps.check(todo, given.identity, config, world)
    wanted = steps.once(given.identity, config, world)
    for step, stack in zip(todo, stacks, strict=True):
        code = steps.carry_out(step, stack, wanted, config, given, world)
        if code:
            _failed(found, step, given.stack or "", code)
    return 0


def find(name: str, file: str, config: Config) -> Workflow:
    """Return a workflow of a file or, without `file`, of the only file that has it.

    Raises: UsageError when there is none or several, ConfigError with the place of a fault.
    """
    if file:
        node = read_file(path_of(file, config))
        known = list(node.get("workflows", {}).map("workflows").value)
        if name not in known:
            raise _unknown(name, known, f" in {file}")
        return read(node, name, file, config)
    directory = directory_of(config)
    files = files_in(directory)
    nodes = {one: read_file(os.path.join(directory, one)) for one in files}
    names = {
        one: list(node.get("workflows", {}).map("workflows").value) for one, node in nodes.items()
    }
    having = [one for one in files if name in names[one]]
    if not having:
        raise _unknown(name, sorted({word for several in names.values() for word in several}), "")
    if len(having) > 1:
        raise UsageError(
            f'the workflow "{name}" is in several files: {", ".join(having)}',
            hint=f"choose one with -f: -f {having[0]}",
        )
    return read(nodes[having[0]], name, having[0], config)


def _unknown(name: str, known: Sequence[str], where: str) -> UsageError:
    there = f"there are: {', '.join(known)}" if known else "there are none"
    if not name:
        return UsageError(f"no workflow named{where}", hint=there)
    return UsageError(f'there is no workflow "{name}"{where}', hint=near(name, known) or there)


def directory_of(config: Config) -> str:
    """Return the directory of the workflow files. Raises: ConfigError when none is configured."""
    section = config.data.get("workflows")
    base = section.get("base_path") if isinstance(section, dict) else None
    if not isinstance(base, str) or not base:
        raise ConfigError(
            "`workflows.base_path` is not configured",
            hint="set it in atmos.yaml, or name the file with its whole path: -f /…",
        )
    return os.path.normpath(os.path.join(config.base_path, base))


def path_of(file: str, config: Config) -> str:
    """Return the path of a workflow file; without a suffix it is .yaml, else .yml."""
    path = file if os.path.isabs(file) else os.path.join(directory_of(config), file)
    if path.endswith(_SUFFIXES):
        return path
    found = [path + suffix for suffix in _SUFFIXES if os.path.exists(path + suffix)]
    return found[0] if found else path + _SUFFIXES[0]


def files_in(directory: str) -> list[str]:
    """Return the workflow files below a directory, by their paths from there."""
    return sorted(
        os.path.relpath(os.path.join(place, name), directory)
        for place, _, names in os.walk(directory)
        for name in names
        if name.endswith(_SUFFIXES)
    )


def read_file(path: str) -> Node:
    """Return a workflow file. Raises: UsageError when it cannot be read, ConfigError for bad YAML."""
    from wrapper import yamlio

    try:
        with open(path, "rb") as stream:
            text = stream.read()
    except OSError as fault:
        raise UsageError(
            f"cannot read the workflow file {path}: {fault.strerror}",
            hint="-f names a file below `workflows.base_path`, or a whole path",
        ) from fault
    data = yamlio.load(text, path, _refused).data
    node = Node({} if data is None else data, (), yamlio.locator(text, path))
    return node.map("a workflow file", _FILE_KEYS)


def _refused(tag: str, _value: object, at: Location) -> NoReturn:
    raise ConfigError(f"{tag} is not supported in workflow files", at=at)


def read(node: Node, name: str, file: str, config: Config) -> Workflow:
    """Return one workflow of a file. Raises: ConfigError with the place."""
    what = f'workflow "{name}"'
    entry = node.get("workflows").get(name).map(what, _KEYS)
    directory = entry.get("working_directory", "").text(f"{what}: working_directory")
    cwd = steps.below(directory, config.base_path) if directory else ""
    found = tuple(
        steps.read(one, number, "atmos", config.base_path, cwd)
        for number, one in enumerate(entry.get("steps", []).items(f"{what}: steps"), 1)
    )
    if not found:
        raise ConfigError(f"{what} has no steps", at=entry.at)
    env = entry.get("env", {}).map(f"{what}: env").value
    laid = tuple(step._replace(env={**env, **step.env}) for step in found)
    return Workflow(name, file, entry.get("stack", "").text(f"{what}: stack"), laid)


def _from(found: Workflow, name: str) -> tuple[Step, ...]:
    """Return the steps from a named one on. Raises: UsageError when there is none of that name."""
    if not name:
        return found.steps
    names = [step.name for step in found.steps]
    if name not in names:
        raise UsageError(
            f'the workflow "{found.name}" has no step "{name}"',
            hint=near(name, names) or f"there are: {', '.join(names)}",
        )
    return found.steps[names.index(name) :]


def _failed(found: Workflow, step: Step, stack: str, code: int) -> NoReturn:
    """Tell which step failed and how to go on there; the exit code is the step's own."""
    import shlex

    again = ["atmos-wrap", "workflow", found.name, "-f", found.file, "--from-step", step.name]
    again += ["-s", stack] if stack else []
    error = WrapError(
        f'step "{step.name}" of workflow "{found.name}" failed with exit code {code}',
        at=step.at,
        hint=f"to go on from there: {shlex.join(again)}",
    )
    error.exit_code = code
    raise error
