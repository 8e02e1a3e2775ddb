"""Run the recorded cases against the installed program; all but those of two lists must pass.

usage: python -m tests.conformance DIRECTORY [--jobs N] [-v]. DIRECTORY holds `run.py` and
`auth/run.py`. `later.txt` names what is not built yet, `differs.txt` what is answered otherwise on
purpose. Exit 1 when a case fails that is in neither, or passes and is named without a pattern.
"""

from __future__ import annotations

import argparse
import fnmatch
import json
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

PROGRAM = Path(sys.executable).parent / "atmos-wrap"
LISTS = ("later.txt", "differs.txt")
AUTH_CASES = (
    "mock-aws",
    "realm",
    "env-quoting",
    "list-*",
    "terraform-no-auth",
    "terraform-two-defaults",
)


class Answer(NamedTuple):
    """One compared query."""

    group: str
    name: str
    args: str
    problem: str


def main() -> int:
    """Run all, print a table per group, and return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory", type=Path)
    parser.add_argument("--jobs", default="2")
    parser.add_argument("-v", "--verbose", action="store_true")
    options = parser.parse_args()

    later = [
        line.split("#", 1)[0].strip()
        for name in LISTS
        for line in Path(__file__).with_name(name).read_text(encoding="utf-8").splitlines()
    ]
    answers = [*stacks(options.directory, options.jobs), *auth(options.directory, options.jobs)]
    passed, failed, waiting = Counter[str](), Counter[str](), Counter[str]()
    for answer in answers:
        excused = any(fnmatch.fnmatchcase(answer.name, glob) for glob in later if glob)
        if not answer.problem:
            passed[answer.group] += 1
        elif excused:
            waiting[answer.group] += 1
        else:
            failed[answer.group] += 1
        if answer.problem and (options.verbose or not excused):
            print(
                f"{'later' if excused else 'FAIL'} {answer.name}  {answer.args}: {answer.problem}"
            )

    known = {answer.name for answer in answers}
    unneeded = [
        name
        for name in later
        if name in known and all(not a.problem for a in answers if a.name == name)
    ]
    for name in unneeded:
        print(f"PASSES {name}: take it out of its list")

    print(f"\n{'group':28} {'passed':>7} {'failed':>7} {'later':>7}")
    for group in sorted({answer.group for answer in answers}):
        print(f"{group:28} {passed[group]:7} {failed[group]:7} {waiting[group]:7}")
    total = (passed.total(), failed.total(), waiting.total())
    print(f"{'all':28} {total[0]:7} {total[1]:7} {total[2]:7}")
    return 1 if failed or unneeded or not passed else 0


def stacks(directory: Path, jobs: str) -> list[Answer]:
    """Return the answers to the cases about stacks, configuration and terraform calls."""
    results = _run(directory / "run.py", "--jobs", jobs)
    return [
        Answer(
            group=f"{one['case'].partition('-')[0]}-*",
            name=f"{one['case']}/{one['query']}",
            args=" ".join(one["args"]),
            problem=str(one["problem"] or ""),
        )
        for one in results
    ]


def auth(directory: Path, jobs: str) -> list[Answer]:
    """Return the answers to the rows and cases about `auth`: those of AWS, and of no cloud."""
    script = directory / "auth" / "run.py"
    found = _run(script, "--selection", "--jobs", jobs)["results"]
    found += _run(script, "--validate", "--jobs", jobs)["results"]
    found += _run(script, "--cloud", "aws", "--jobs", jobs)["results"]
    for glob in AUTH_CASES:
        found += _run(script, "--only", glob, "--jobs", jobs)["results"]
    found = list({(one["case"], one["query"]): one for one in found}.values())
    return [
        Answer(
            group=f"auth/{one['case'].partition('/')[0]}",
            name=f"auth/{one['case']}/{one['query']}",
            args="",
            problem="" if one["passed"] else " | ".join(one["differences"][:3]),
        )
        for one in found
        if "skipped" not in one
    ]


def _run(script: Path, *more: str) -> Any:
    """Run one of the recorded suites and return its JSON."""
    done = subprocess.run(
        [sys.executable, str(script), "--command", str(PROGRAM), "--ours", "--json", *more],
        stdout=subprocess.PIPE,
        text=True,
        timeout=1200,
    )
    return json.loads(done.stdout)


if __name__ == "__main__":
    sys.exit(main())
