"""Measure ten required identities over three chains of depth three against the longest chain alone.

usage: python -m tests.bench.chains [--runs N] [--limit RATIO]. Every answer of the cloud takes 200 ms.
Cold runs of both kinds take turns; exit status 1 when the ratio of their shortest times, to which the
machine's noise adds least, is over the limit.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
from pathlib import Path

from tests.bench.__main__ import BIN, Bench
from tests.fakes import aws

CHAINS, LEAVES, DELAY, LIMIT = 3, 10, 0.2, 1.3


def main() -> int:
    """Measure, print two rows and the ratio; return 1 when it is over the limit."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument("--limit", type=float, default=LIMIT)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory(prefix="bench-") as scratch,
        aws.running(lifetime=3600) as fake,
    ):
        alone, all_of_them = (_prepared(Path(scratch, n), fake, n == "all") for n in ("one", "all"))
        fake.script("sts:*", delay=DELAY)
        times: list[list[float]] = [[], []]
        for _ in range(options.runs):
            for bench, found in zip((alone, all_of_them), times, strict=True):
                shutil.rmtree(Path(bench.environment["XDG_STATE_HOME"]), ignore_errors=True)
                found.append(bench.ours("exec", "-i", "leaf0", "--", "true")())
        _told("one chain of depth 3", times[0])
        _told(f"{LEAVES} required identities over {CHAINS} such chains", times[1])
    ratio = min(times[1]) / min(times[0])
    print(f"ratio {ratio:.2f}, at most {options.limit}")
    return int(ratio > options.limit)


def _told(title: str, times: list[float]) -> None:
    shown = (1000 * each for each in (min(times), statistics.median(times), max(times)))
    numbers = " | ".join(f"{each:.0f}" for each in shown)
    print(f"| {title} | cold | {numbers} | {len(times)} |")


def _prepared(root: Path, fake: aws.Fake, required: bool) -> Bench:
    """Write a repository; with `required` all leaves are, else one of them is all that there is."""
    account = "222222222222" if required else "111111111111"
    lines, environment = ["auth:", "  realm: bench", "  identities:"], {}
    for number in range(CHAINS):
        user = fake.user(account, f"user{number}")
        gate = fake.role(account, f"gate{number}", trusts=user.arn)
        fake.allow(user.arn, "sts:AssumeRole", gate)
        environment |= {
            f"KEY{number}": user.access_key_id,
            f"SECRET{number}": user.secret_access_key,
        }
        keys = f"access_key_id: !env KEY{number}, secret_access_key: !env SECRET{number}"
        lines.append(f"    user{number}: {{kind: aws/user, credentials: {{{keys}}}}}")
        lines.append(_role(f"gate{number}", f"user{number}", gate, required=False))
        fake.allow(gate, "sts:AssumeRole", name="leaves")
    for number in range(LEAVES if required else 1):
        gate = f"arn:aws:iam::{account}:role/gate{number % CHAINS}"
        leaf = fake.role(account, f"leaf{number}", trusts=gate)
        lines.append(_role(f"leaf{number}", f"gate{number % CHAINS}", leaf, required=required))
    repo = root / "repo"
    repo.mkdir(parents=True)
    (repo / "atmos.yaml").write_text("\n".join(lines) + "\n", encoding="utf-8")
    environment |= {
        **fake.environment(),
        "HOME": str(root),
        "XDG_STATE_HOME": str(root / "state"),
        "XDG_CACHE_HOME": str(root / "cache"),
        "PATH": os.pathsep.join([str(BIN), os.defpath]),
    }
    return Bench(repo, environment, LEAVES if required else 1)


def _role(name: str, via: str, arn: str, *, required: bool) -> str:
    more = ", required: true" if required else ""
    return (
        f"    {name}: {{kind: aws/assume-role, via: {{identity: {via}}}"
        f", principal: {{assume_role: {arn!r}}}{more}}}"
    )


if __name__ == "__main__":
    sys.exit(main())
