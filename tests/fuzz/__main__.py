"""Feed broken manifests and atmos.yaml files to the reader; whatever is wrong must be told as such.

usage: python -m tests.fuzz [--inputs 100000] [--seed N] [--jobs N]. An input fails when it raises
anything but an error of ours, or takes longer than five seconds. It is kept in build/fuzz/.
"""

from __future__ import annotations

import argparse
import copy
import io
import os
import random
import signal
import sys
import tempfile
import time
import traceback
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

import yaml

from tests.fakes import aws, demo_repository
from wrapper import auth, config, stacks, world
from wrapper.errors import WrapError

KEPT = aws.CLONE / "build" / "fuzz"
MEMORY = "/dev/shm" if os.path.isdir("/dev/shm") else None  # a disk would be the bottleneck
LIMIT = 5  # seconds for one input
FILES = (
    "atmos.yaml",
    "stacks/deploy/dev.yaml",
    "stacks/catalog/app.yaml",
    "profiles/ci/atmos.yaml",
)
# Tags that run programs are left out: nothing random may be started.
WORDS = (
    "null", "~", "true", "no", "on", "0x1F", "0o17", "1e999", "-.inf", ".nan", "2024-01-01", "1:30",
    "''", '"', "'", "[", "]", "{", "}", "[]", "{}", "- ", ": ", "? ", ", ", "# ", "|", ">", "&a", "*a",
    "<<: *a", "!env X", "!include a.yaml", "!unset", "!append [1]", "!!binary x", "!!int x", "---\n",
    "%YAML 9.9\n", "\t", "\n", "\n  ", "\r\n", "\x00", "\u2028", "\ufeff", "\U0001f600", "{{ .vars.x }}",
    "components:", "terraform:", "import:", "vars:", "metadata:", "inherits:", "auth:", "identities:",
    "kind: aws/user", "via:", "../../x", "catalog/app", "**/*", "a" * 5000,
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
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=int(time.time()))
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    share = -(-options.inputs // options.jobs)
    # A worker that dies (a fault in C code) raises here; its input is then in MEMORY/fuzz-*.
    with ProcessPoolExecutor(options.jobs) as pool:
        seeds = [f"{options.seed}-{job}" for job in range(options.jobs)]
        parts = list(pool.map(run, seeds, [share] * options.jobs))
    failures = [failure for _, found in parts for failure in found]
    refused = sum(count for count, _ in parts)
    for number, failure in enumerate(failures):
        KEPT.mkdir(parents=True, exist_ok=True)
        path = KEPT / f"{number}-{failure.name.replace('/', '_')}"
        path.write_bytes(failure.data)
        print(f"FAIL {path.relative_to(aws.CLONE)}\n{failure.report}")
    print(
        f"{share * options.jobs} inputs, {refused} refused as they should, {len(failures)} failed"
    )
    return 1 if failures else 0


def run(seed: str, inputs: int) -> tuple[int, list[Failure]]:
    """Feed so many inputs; return how many were refused, and the failures (one per place)."""
    chance = random.Random(seed)
    refused, failures, places = 0, [], set()
    signal.signal(signal.SIGALRM, _too_slow)
    with tempfile.TemporaryDirectory(prefix="fuzz-", dir=MEMORY) as scratch:
        repo = Path(scratch, "repo")
        demo_repository.write(repo)
        here = world.real()._replace(
            environ={"HOME": scratch, "XDG_CACHE_HOME": f"{scratch}/cache", "PATH": os.defpath},
            cwd=str(repo),
            stdout=io.StringIO(),
            stderr=io.StringIO(),
            stdin_tty=False,
            stderr_tty=False,
        )
        good = {name: (repo / name).read_bytes() for name in FILES}
        for _ in range(inputs):
            name = chance.choice(FILES)
            data = chance.choice(MUTATIONS)(chance, good[name])
            (repo / name).write_bytes(data)
            signal.alarm(LIMIT)
            try:
                read(here)
            except WrapError as error:
                refused += 1
                str(error)
            except Exception as error:  # noqa: BLE001 - this is what is looked for
                place = "".join(traceback.format_tb(error.__traceback__)[-1:])
                if place not in places:
                    places.add(place)
                    failures.append(Failure(name, data, f"{place}{type(error).__name__}: {error}"))
            finally:
                signal.alarm(0)
            (repo / name).write_bytes(good[name])
    return refused, failures


def read(here: world.World) -> None:
    """Do what a run does before it signs in. Raises: WrapError."""
    settings = config.load(here, config.Options(profiles=("ci",)))
    config.describe(settings)
    component = stacks.component(settings, here, "app", "dev")
    section = component.section.get("auth") or {}
    auth.read(section, (*settings.auth_layers, *component.auth_layers), settings.dir, here)


def splice(chance: random.Random, data: bytes) -> bytes:
    """Put words into, and take pieces out of a text."""
    text = data.decode()
    for _ in range(chance.randint(1, 4)):
        at = chance.randrange(len(text) + 1)
        gone = chance.choice((0, 0, 1, 5, 40))
        text = text[:at] + chance.choice((*WORDS, "")) + text[at + gone :]
    return text.encode()


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
    return "".join(chance.choice(WORDS) for _ in range(chance.randint(1, 30))).encode()


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
