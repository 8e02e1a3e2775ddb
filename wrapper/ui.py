"""What a person reads, on stderr: warnings, notes and errors, with nothing raw from a file."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import Location, Problems, WrapError
from wrapper.world import World

LEVELS = ("trace", "debug", "info", "warning", "error", "off")
_said: set[tuple[int, str, str]] = set()


def level(environ: Mapping[str, str]) -> int:
    """Return the rank of the log level in force; the default is `warning`.

    Source: reference/atmos-stacks.md 1.10.
    """
    name = environ.get("ATMOS_LOGS_LEVEL", "").strip().lower()
    name = {"warn": "warning", "": "warning"}.get(name, name)
    return LEVELS.index(name) if name in LEVELS else LEVELS.index("warning")


def warn(world: World, text: str) -> None:
    """Print a warning, once per run."""
    _say(world, "warning", text)


def info(world: World, text: str) -> None:
    """Print a line that is shown at log level info and below."""
    _say(world, "info", text)


def debug(world: World, text: str) -> None:
    """Print a line that is shown at log level debug and below; names, never values."""
    _say(world, "debug", text)


def note(world: World, text: str) -> None:
    """Print a line that is always shown: what a command that changes things is about to do."""
    write(world, f"{escape(text)}\n")


def show(world: World, text: str) -> None:
    """Print a line that a person must read to go on. Raises: BrokenPipeError when nobody can."""
    try:
        world.stderr.write(f"{escape(text)}\n")
        world.stderr.flush()
    except BrokenPipeError:
        # Without a number: the parser of the command line would make exit status 1 of it.
        raise BrokenPipeError("nobody reads stderr") from None
    except ValueError:  # closed from the beginning: who started us wants it so
        return


def _say(world: World, name: str, text: str) -> None:
    said = (id(world.stderr), name, text)
    if LEVELS.index(name) < level(world.environ) or said in _said:
        return
    _said.add(said)
    write(world, f"{name}: {escape(text)}\n")


def write(world: World, text: str) -> None:
    """Write to stderr; a closed stderr is no reason to stop."""
    try:
        world.stderr.write(text)
        world.stderr.flush()
    except (BrokenPipeError, ValueError):
        return


def escape(text: str) -> str:
    """Return text with control characters made visible; line breaks and tabs stay."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c in "\n\t" else _visible(c) for c in text)


def line(text: str) -> str:
    """Return a foreign text, such as a name, on one line, with nothing raw in it."""
    return escape(text).replace("\n", "\\n").replace("\t", "\\t")


def _visible(character: str) -> str:
    code = ord(character)
    if code < 0x100:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


def render(error: WrapError, cwd: str) -> str:
    """Return an error as the lines that are shown: what, where, what to do (design 12)."""
    if isinstance(error, Problems):
        return "".join(render(problem, cwd) for problem in error.problems)
    lines = [f"error: {error.message}"]
    lines += [f"  at {place(at, cwd)}" for at in error.at]
    lines += [f"hint: {hint}" for hint in error.hints]
    return "".join(f"{escape(line)}\n" for line in lines)


def place(at: Location | str, cwd: str) -> str:
    """Return a place as it is shown: below the working directory by its relative path."""
    if isinstance(at, str):
        return at
    path = at.path
    if cwd and path.startswith(cwd + os.sep):
        path = path[len(cwd) + 1 :]
    return f"{path}:{at.line}:{at.column}"
