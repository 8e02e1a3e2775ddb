"""The fenced blocks of the documentation, and a shell that runs them in order."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

RUN = ("console", "sh")
WILD = "…"
_FENCE = re.compile(r"^```(\S*) ?(.*)$")
_COLOURS = re.compile(r"\x1b\[[0-9;]*m")


class Block(NamedTuple):
    """One fenced block; `line` is that of its fence, `attributes` what stands behind the language.

    `fixture=NAME` starts a scenario, `file=PATH` says that the block is this file's content,
    `run=never reason="…"` that it cannot be run, `types="A|$B|"` that it asks at a terminal and
    gets these answers; `$B` is a variable.
    """

    page: str
    line: int
    language: str
    attributes: Mapping[str, str]
    text: str

    @property
    def runs(self) -> bool:
        """Say whether the block holds commands that are run."""
        return self.language in RUN and self.attributes.get("run") != "never"


class Command(NamedTuple):
    """One command with the output that the page shows; None: whatever it prints."""

    text: str
    shown: str | None


class Scenario(NamedTuple):
    """Blocks that belong together: they run in one shell, in a directory of their own."""

    fixture: str
    blocks: tuple[Block, ...]

    @property
    def name(self) -> str:
        """Return the place where it begins."""
        return f"{self.blocks[0].page}:{self.blocks[0].line}"


class Outcome(NamedTuple):
    """What one command did."""

    block: Block
    command: Command
    exit: int
    output: str


def blocks(page: str, text: str) -> Iterator[Block]:
    """Yield the fenced blocks of a page."""
    lines = iter(enumerate(text.splitlines(), 1))
    for number, line in lines:
        fence = _FENCE.match(line)
        if fence is None:
            continue
        inside = []
        for _, below in lines:
            if below.startswith("```"):
                break
            inside.append(below)
        pairs = (word.partition("=") for word in shlex.split(fence[2]))
        attributes = {name: value for name, _, value in pairs}
        yield Block(page, number, fence[1], attributes, "\n".join(inside) + "\n")


def scenarios(found: Sequence[Block]) -> list[Scenario]:
    """Group the blocks of one page; what stands before the first `fixture=` belongs to none."""
    grouped: list[Scenario] = []
    for block in found:
        if "fixture" in block.attributes:
            grouped.append(Scenario(block.attributes["fixture"], (block,)))
        elif grouped and (block.runs or "file" in block.attributes):
            grouped[-1] = grouped[-1]._replace(blocks=(*grouped[-1].blocks, block))
    return grouped


def commands(block: Block) -> list[Command]:
    """Return the commands of a block. A line `> …` goes on with the command above it."""
    if block.language == "sh":
        return [Command(block.text, None)]
    found: list[Command] = []
    open_command = False
    for line in block.text.splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], ""))
            open_command = True
        elif open_command and line.startswith("> "):
            found[-1] = found[-1]._replace(text=f"{found[-1].text}\n{line[2:]}")
        elif found:
            open_command = False
            found[-1] = found[-1]._replace(shown=f"{found[-1].shown}{line}\n")
        else:
            raise ValueError(f"{block.page}:{block.line}: output before the first command")
    return found


def run(
    scenario: Scenario, place: Path, scratch: Path, environment: Mapping[str, str]
) -> list[Outcome]:
    """Run a scenario in `place` by one bash; files of ours go to `scratch`."""
    script = [f"cd {shlex.quote(str(place))}"]
    todo: list[tuple[Block, Command]] = []
    for number, block in enumerate(scenario.blocks):
        if "file" in block.attributes:
            given = scratch / f"file{number}"
            given.write_text(block.text, encoding="utf-8")
            target = shlex.quote(str(place / block.attributes["file"]))
            script.append(f'mkdir -p "$(dirname {target})"; cp {given} {target}; (exit 0)')
        for command in commands(block) if block.runs else ():
            told = scratch / f"out{len(todo)}"
            text = command.text
            if "types" in block.attributes:
                told.with_suffix(".sh").write_text(text, encoding="utf-8")
                text = _at_a_terminal(told.with_suffix(".sh"), block.attributes["types"])
            script += [
                f"{{ {text}\n}} >{told} 2>&1 </dev/null",
                f'told=$?; echo "$told" >{told}.exit; (exit "$told")',
            ]
            todo.append((block, command))
    subprocess.run(
        ["bash", "--norc", "-c", "\n".join(script)],
        env=dict(environment),
        cwd=place,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        timeout=180,
        check=False,
    )
    return [_outcome(block, one, scratch / f"out{at}") for at, (block, one) in enumerate(todo)]


def _at_a_terminal(script: Path, answers: str) -> str:
    program = [sys.executable, str(Path(__file__).with_name("docs_terminal.py")), str(script)]
    return shlex.join([*program, *answers.split("|")])


def _outcome(block: Block, command: Command, told: Path) -> Outcome:
    ended = told.with_name(f"{told.name}.exit")
    if not ended.exists():
        return Outcome(block, command, -1, "(it did not end)\n")
    text = _COLOURS.sub("", told.read_text(encoding="utf-8", errors="replace"))
    lines = [line.rstrip() for line in text.splitlines()]
    output = "".join(f"{line}\n" for line in lines)
    return Outcome(block, command, int(ended.read_text()), output)


def matches(shown: str | None, output: str) -> bool:
    """Say whether an output is the one shown: `…` is any text, a line of it any lines.

    Empty lines at the end are not compared: pages do not show them.
    """
    if shown is None:
        return True
    pattern = "".join(
        r"(?:.*\n)*?" if line.strip() == WILD else f"{_line(line)}\n" for line in shown.splitlines()
    )
    return re.fullmatch(rf"(?:{pattern})\n*", output) is not None


def _line(line: str) -> str:
    return ".*".join(re.escape(part) for part in line.rstrip().split(WILD))
