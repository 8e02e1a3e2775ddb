"""Feed broken manifests, templates, configuration and command lines to the program, in this process.

usage: python -m tests.fuzz [--inputs 1000000] [--seed N] [--jobs N] [--only TARGET]. An input fails
when the program ends with a fault of its own or a traceback, takes longer than five seconds or more
than 3 GiB. It is kept in build/fuzz/. Targets: the whole program, and its parts in tests/fuzz/targets.py.
"""

from __future__ import annotations

import argparse
import contextlib
import copy
import gc
import io
import os
import random
import resource
import signal
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.fakes import aws, demo_repository
from tests.fuzz import targets
from tests.fuzz.targets import WORDS, fault
from wrapper import __main__ as program
from wrapper import ui, world
from wrapper.errors import InternalError

KEPT = aws.CLONE / "build" / "fuzz"
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk would be the bottleneck
LIMIT = 5  # seconds for one input
SPACE = 3 << 30  # bytes for one process
# How often the whole program is fed, for 85 times that a part of it is.
WHOLE = 15
FILES = (
    "atmos.yaml",
    "stacks/deploy/dev.yaml",
    "stacks/catalog/app.yaml",
    "profiles/ci/atmos.yaml",
)
# Nothing here signs in, starts a program, or deletes: `--dry-run` stands before what is random.
COMMANDS = (
    *((("terraform", "plan", "app", "-s", "dev", "--dry-run", "--profile", "ci"),) * 60),
    ("terraform", "apply", "app", "-s", "dev", "--dry-run", "--identity=false"),
    ("describe", "component", "app", "-s", "dev"),
    ("describe", "stacks", "--format", "json"),
    ("describe", "config"),
    ("list", "stacks"),
    ("list", "components", "-s", "dev"),
    ("list", "identities"),
    ("validate", "stacks"),
    ("auth", "list"),
    ("auth", "validate"),
    ("auth", "whoami"),
    ("__complete", "terraform", "plan", "app", "-s", ""),
)
ARGUMENTS = (
    "app", "dev", "-s", "--stack", "--stack=dev", "-i", "--identity", "-i=x", "--identity=false", "--dry-run",
    "--", "-", "", "-h", "--help", "-destroy", "-target=x", "-var", "a=b c", "-out", "--format", "json", "yaml",
    "--profile", "ci", "no such", "--base-path", ".", "--config", "atmos.yaml", "--config-path", "profiles/ci",
    "-C", "stacks", "--chdir=..", "--logs-level", "debug", "--logs-level=x", "--no-color", "--no-color=maybe",
    "-q", ".vars", "--query=.[", "--skip-init", "--init", "--from-plan", "--planfile", "x", "--all", "-c",
    "--component", "terraform", "plan", "state", "list", "stacks", "describe", "component", "auth", "list",
    "validate", "version", "profile", "show", "--interactive=false", "--settings-list-merge-strategy", "append",
    "\x00", "\udcff", "\x1b[31m", "\n", "é", "{{ . }}", "a" * 3000, "--skip", "--process-functions=false", "-1",
)  # fmt: skip
VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 10**30, 1.5, float("nan"), "", "x", "a/b", "{stage}", "{{", "**", "../..",
    [], [None], [[]], [1, "x", {}], {}, {"x": None}, {None: 1}, {1: 2}, {"": ""}, {"name": []},
)  # fmt: skip


class Failure(NamedTuple):
    """An input that was not answered properly."""

    name: str
    data: bytes
    report: str


def main() -> int:
    """Run all inputs; return 1 if one failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--only", default="", choices=("program", *targets.TARGETS))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    began = time.monotonic()
    share = -(-options.inputs // options.jobs)
    # A worker that dies (a fault in C code) raises here; its input is then in MEMORY/fuzz-*.
    with ProcessPoolExecutor(options.jobs) as pool:
        seeds = [f"{options.seed}-{job}" for job in range(options.jobs)]
        only = [options.only] * options.jobs
        parts = list(pool.map(run, seeds, [share] * options.jobs, only))
    failures = [failure for _, found in parts for failure in found]
    fed = {name: sum(counts[name] for counts, _ in parts) for name in parts[0][0]}
    for number, failure in enumerate(failures):
        KEPT.mkdir(parents=True, exist_ok=True)
        path = KEPT / f"{number}-{failure.name.replace('/', '_')}"
        path.write_bytes(failure.data)
        print(f"FAIL {path.relative_to(aws.CLONE)}\n{failure.report}")
    print(
        f"{share * options.jobs} inputs ({', '.join(f'{fed[name]} {name}' for name in fed)}), "
        f"{len(failures)} failed, {time.monotonic() - began:.0f} s"
    )
    return 1 if failures else 0


def run(seed: str, inputs: int, only: str = "") -> tuple[dict[str, int], list[Failure]]:
    """Feed so many inputs; return how many each target got, and the failures (one per place)."""
    chance = random.Random(seed)
    failures, places = [], set()
    signal.signal(signal.SIGALRM, _too_slow)
    resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE))
    names = [only] if only else ["program", *targets.TARGETS]
    weights = [1] if only else [WHOLE, *(weight for weight, _ in targets.TARGETS.values())]
    fed = dict.fromkeys(names, 0)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as scratch:
        repo = Path(scratch, "repo")
        demo_repository.write(repo)
        (repo / "bin").mkdir()
        (repo / "bin" / "terraform").touch(mode=0o755)
        here = world.real()._replace(
            environ={
                "HOME": scratch,
                "PATH": str(repo / "bin"),
                "AWS_ENDPOINT_URL": "http://127.0.0.1:1",
            },
            cwd=str(repo),
            stdin=io.StringIO(),
            stdin_tty=False,
            stderr_tty=False,
        )
        os.environ["HOME"] = scratch
        targets.prepare(Path(scratch))
        for line in dict.fromkeys(COMMANDS):
            answer(list(line), here)  # load what they need
        gc.freeze()
        good = {name: (repo / name).read_bytes() for name in FILES}
        for number, target in enumerate(chance.choices(names, weights, k=inputs)):
            fed[target] += 1
            signal.alarm(LIMIT)
            if target == "program":
                name, data, argv = one(chance, good)
                (repo / name).write_bytes(data)
                report = answer(argv, here)[1]
                (repo / name).write_bytes(good[name])
            else:
                name, argv = target, list[str]()
                data, report = targets.TARGETS[target][1](chance, Path(scratch))
            signal.alarm(0)
            if number % 20 == 0 or target == "program":
                # An index that is still open for reading holds up the next one's writing.
                gc.collect()
            key = report.partition("Error: ")[0]
            if report and key not in places:
                places.add(key)
                failures.append(Failure(name, data, f"{argv}\n{report}"))
    return fed, failures


def one(chance: random.Random, good: Mapping[str, bytes]) -> tuple[str, bytes, list[str]]:
    """Return a file to change, its content, and a command line."""
    name = chance.choice(FILES)
    if chance.random() < 0.15:
        argv = list(chance.choice(COMMANDS))
        for _ in range(chance.randint(1, 4)):
            at = chance.randint(1, len(argv))
            gone = chance.choice((0, 0, 1, 2))
            argv[at : at + gone] = [chance.choice(ARGUMENTS)]
        if argv[0] == "terraform":
            argv[1:1] = ["--dry-run"]
        return name, good[name], argv
    return name, chance.choice(MUTATIONS)(chance, good[name]), list(chance.choice(COMMANDS))


def answer(argv: list[str], here: world.World) -> tuple[int, str]:
    """Run one command line; return its exit code and, if that was a fault, what was said."""
    out, err = io.StringIO(), io.StringIO()
    ui._said.clear()
    try:
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
            code = program.run(argv, here._replace(stdout=out, stderr=err))
    except (Exception, SystemExit) as error:  # noqa: BLE001 - this is what is looked for
        return 70, fault(error)
    told = err.getvalue()
    if code == InternalError.exit_code or "Traceback" in told or "internal fault" in told:
        return code, told
    return code, ""


def splice(chance: random.Random, data: bytes) -> bytes:
    """Put words into, and take pieces out of a text."""
    text = data.decode()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        gone = chance.choice((0, 0, 1, 5, 40))
        text = text[:at] + chance.choice((*WORDS, "")) + text[at + gone :]
    return text.encode("utf-8", "surrogatepass")


def scramble(chance: random.Random, data: bytes) -> bytes:
    """Change single bytes."""
    changed = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        changed[chance.randrange(len(changed))] = chance.randrange(256)
    return bytes(changed)


def cut(chance: random.Random, data: bytes) -> bytes:
    """Keep a beginning."""
    return data[: chance.randrange(len(data) + 1)]


def retype(chance: random.Random, data: bytes) -> bytes:
    """Replace some values by ones of another type."""
    tree = yaml.load(data, _Plain)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(tree))
        if not places:
            break
        holder, key = chance.choice(places)
        holder[key] = copy.deepcopy(chance.choice(VALUES))
    return yaml.safe_dump(tree).encode()


def soup(chance: random.Random, data: bytes) -> bytes:
    """Write words without any sense."""
    return "".join(chance.choice(WORDS) for _ in range(chance.randint(1, 30))).encode(
        "utf-8", "surrogatepass"
    )


MUTATIONS: tuple[Callable[[random.Random, bytes], bytes], ...] = (
    splice,
    scramble,
    cut,
    retype,
    retype,
    soup,
)


class _Plain(yaml.SafeLoader):
    """A loader to which a value with a tag is its text."""


_Plain.add_multi_constructor("!", lambda _, suffix, node: f"!{suffix} {getattr(node, 'value', '')}")


def _places(tree: Any) -> list[tuple[Any, Any]]:
    """Return every holder and key below a value."""
    keys = (
        list(tree) if isinstance(tree, dict) else range(len(tree)) if isinstance(tree, list) else ()
    )
    found: list[tuple[Any, Any]] = []
    for key in keys:
        found.append((tree, key))
        found += _places(tree[key])
    return found


def _too_slow(number: int, frame: object) -> None:
    raise TimeoutError(f"longer than {LIMIT} s")


if __name__ == "__main__":
    sys.exit(main())
