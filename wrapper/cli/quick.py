"""`describe component` and `list stacks` as they are mostly typed, without the time that Typer takes.

Whatever is not plainly one of these forms is left to Typer, which also tells what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from wrapper.cli.session import Session
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.cli.args import Globals
    from wrapper.world import World

# Flags of `describe component` with a value -> what `described.component` calls it.
_VALUED = {
    "--format": "form", "-f": "form", "--query": "query", "-q": "query", "--file": "file",
    "--process-functions": "functions", "--process-templates": "templates",
}  # fmt: skip


def answer(rest: Sequence[str], given: Globals, world: World) -> bool:
    """Answer a command line without its global flags; False when it is left to Typer.

    Raises: WrapError.
    """
    if list(rest) == ["list", "stacks"]:
        return _stacks(Session(world, given))
    if list(rest[:2]) != ["describe", "component"]:
        return False
    line = _read(rest[2:])
    if line is None:
        return False
    from wrapper.cli import described

    name, options = line
    described.component(Session(world, given), name, **options)
    return True


def _read(arguments: Sequence[str]) -> tuple[str, dict[str, Any]] | None:
    """Return the component and the options; None for any other form."""
    names: list[str] = []
    options: dict[str, Any] = {}
    left = iter(arguments)
    for token in left:
        flag, equals, value = token.partition("=")
        if not token.startswith("-"):
            names.append(token)
        elif flag not in _VALUED or (equals and not flag.startswith("--")):
            return None
        else:
            found = value if equals else next(left, None)
            if found is None or (not equals and found.startswith("-")):
                return None
            options[_VALUED[flag]] = found
    return (names[0], options) if len(names) == 1 and names[0] else None


def _stacks(session: Session) -> bool:
    """Write the names of the stacks; False where the configuration asks for more than names."""
    from wrapper import stacks

    config = session.config()
    section = config.data.get("stacks")
    if isinstance(section, dict) and section.get("list"):
        return False
    names = stacks.stack_names(config, session.world)
    from wrapper import ui

    shown = names if "".join(names).isprintable() else map(ui.line, names)
    session.world.stdout.write("".join(f"{name}\n" for name in shown))
    return True
