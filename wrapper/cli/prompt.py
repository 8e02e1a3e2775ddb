"""`prompt`: the identity of a directory as text for prompts and status lines, without Typer's start."""

from __future__ import annotations

from collections.abc import Sequence

from wrapper.cli import args
from wrapper.errors import UsageError
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.world import World

_FLAGS = (args.Flag("format"), args.Flag("production"))


def main(argv: Sequence[str], world: World) -> int:
    """Run `prompt`; `argv` begins with that word. Raises: UsageError."""
    given, rest = args.split_globals(argv, world.environ)
    found: dict[str, str] = {}
    at = 1
    while at < len(rest):
        met = args.match(rest, at, _FLAGS)
        if met is None:  # `--help`, and what is wrong
            from wrapper import cli

            return cli.main(argv, world)
        found[met.flag.name] = met.value
        at += met.used
    return show(found.get("format", ""), found.get("production", ""), args.enter(given, world))


def show(form: str, marked: str, world: World) -> int:
    """Print the line of a prompt; nothing where there is no identity. Raises: UsageError."""
    import io

    from wrapper.hook import evaluate, prompt

    if "\n" in form + marked:
        raise UsageError("--format is one line")
    # A status line has nobody to ask, and no place for warnings.
    quiet = world._replace(stdin_tty=False, stderr_tty=False, asks=False, stderr=io.StringIO())
    line = prompt.line(evaluate.look(quiet), form or prompt.DEFAULT, marked, world.now())
    if line:
        world.stdout.write(line + "\n")
    return 0
