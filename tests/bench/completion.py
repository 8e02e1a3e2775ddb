"""Measure Tab: from the key to the list on the screen in real shells, and `__complete` alone.

usage: python -m tests.bench.completion [--sizes 10,100] [--runs N] [--limit MS]. Each size is a
generated repository of so many manifests with 8 components each. All that is measured at a size takes
turns; exit status 1 when the shortest time of a list, to which the machine's noise adds least, is over
the limit.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from tests.bench.__main__ import BIN, generate
from tests.conftest import Cli
from tests.e2e import typed

LIMIT = 60.0
SHELLS = ("bash", "zsh", "fish")
# A list at the first Tab; nothing else that costs time.
BEFORE = {"bash": "bind 'set show-all-if-ambiguous on'\nbind 'set completion-query-items 0'\n"}


def main() -> int:
    """Measure, print the table; return 1 when a list is too slow."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10,100,1000,10000")
    parser.add_argument("--runs", type=int, default=15)
    parser.add_argument("--limit", type=float, default=LIMIT)
    options = parser.parse_args()
    print("| manifests | what | min | median | max | runs |")
    print("|---|---|---|---|---|---|", flush=True)
    rows: list[tuple[int, str, list[float]]] = []
    for size in (int(each) for each in options.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            found = measured(size, Path(scratch), options.runs)
        rows += found
        for _, what, times in found:
            shown = [1000 * each for each in (min(times), statistics.median(times), max(times))]
            numbers = " | ".join(f"{each:.0f}" for each in shown)
            print(f"| {size} | {what} | {numbers} | {len(times)} |", flush=True)
    slow = [what for _, what, times in rows if "Tab" in what and 1000 * min(times) > options.limit]
    return 1 if slow else 0


def measured(size: int, root: Path, runs: int) -> list[tuple[int, str, list[float]]]:
    """Return what was measured at one size, each with its times in seconds."""
    cli = prepared(size, root)
    some = "s" + "8" * (len(str(size)) - 2)  # begins about ten names
    last = max(
        (f"s{n}" for n in range(size - max(1, size // 10)) if f"s{n}".startswith(some)),
        key=lambda name: (len(name), name),
    )
    lines = {
        "components": ("terraform plan ", "part7"),
        "stacks": (f"terraform plan app -s {some}", last),
        "identities": ("exec -i ", "user"),
    }
    asked: dict[str, Callable[[], float]] = {
        "`python -c pass`": lambda: alone(cli, [sys.executable, "-E", "-P", "-c", "pass"]),
        "`__complete`, components": lambda: alone(cli, [*OWN, "terraform", "plan", ""]),
        "`__complete`, all stacks": lambda: alone(
            cli, [*OWN, "terraform", "plan", "app", "-s", ""]
        ),
        "`__complete`, identities": lambda: alone(cli, [*OWN, "exec", "-i", ""]),
        "`atmos-wrap __complete`": lambda: alone(
            cli, [str(BIN / "atmos-wrap"), "__complete", "terraform", "plan", ""]
        ),
    }
    with contextlib.ExitStack() as stack:
        for name in SHELLS:
            program = shutil.which(name)
            if program is None:
                sys.exit(f"error: {name} is not installed")
            text = typed.completion(cli, name, cli.environment)
            shell = stack.enter_context(
                typed.started(name, program, cli, text, BEFORE.get(name, ""))
            )
            for what, (line, seen) in lines.items():
                asked[f"Tab in {name}, {what}"] = tab(shell, f"atmos-wrap {line}", seen)
        for once in asked.values():  # makes the index, and keeps the names
            once()
            once()
        times: dict[str, list[float]] = {what: [] for what in asked}
        for _ in range(runs):
            for what, once in asked.items():
                times[what].append(once())
    return [(size, what, found) for what, found in times.items()]


# Between the letters of a name there may be colours.
COLOUR = r"(?:\x1b\[[0-9;]*m|\x1b\(B)*"
CODE = "import sys; from wrapper import complete; sys.exit(complete.main(sys.argv[1:]))"
OWN = [sys.executable, "-E", "-P", "-c", CODE, "__complete"]


def prepared(size: int, root: Path) -> Cli:
    """Make a repository of so many manifests; return how programs are run in it."""
    for name in ("home", "bin", "repo"):
        (root / name).mkdir()
    generate(root / "repo", size)
    environment = {
        "HOME": str(root / "home"),
        "PATH": os.pathsep.join([str(root / "bin"), os.defpath]),
        "LANG": "C.UTF-8",
    }
    return Cli(environment, root / "repo")


def alone(cli: Cli, argv: list[str]) -> float:
    """Run a program; return its time."""
    began = time.perf_counter()
    subprocess.run(
        argv, env=cli.environment, cwd=cli.cwd, stdin=subprocess.DEVNULL, capture_output=True,
        check=True, timeout=600,
    )  # fmt: skip
    return time.perf_counter() - began


def tab(shell: typed.Typed, line: str, seen: str) -> Callable[[], float]:
    """Return a measurement: from the key until the last name of the list is on the screen."""

    listed = COLOUR.join(map(re.escape, seen))

    def once() -> float:
        shell.child.send(line)
        shell.child.expect_exact(line.rsplit(maxsplit=1)[-1], timeout=60)
        time.sleep(0.1)  # what the shell does at a key (colours, suggestions) is over
        began = time.perf_counter()
        shell.child.send(typed.TAB)
        shell.child.expect(listed, timeout=60)
        taken = time.perf_counter() - began
        shell.child.send(typed.INTERRUPT)
        shell.command("true")
        return taken

    return once


if __name__ == "__main__":
    sys.exit(main())
