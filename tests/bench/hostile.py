"""How long a manifest that is made to do harm keeps who needs it, and who does not; and in how much memory.

Run as `python -m tests.bench.hostile`. Prints the slowest, and fails above a second or 500 MB.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.bench.__main__ import BIN
from tests.e2e.test_hostile import ATMOS, CASES, GOOD, write

RUNS = 3
SECONDS, BYTES = 1.0, 500 << 20


def main() -> int:
    """Measure, and print the table; return 1 when something is above a bound."""
    rows: list[tuple[float, int, str, str]] = []
    for name, case in CASES.items():
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            root = Path(scratch)
            write(root, {"atmos.yaml": ATMOS, "stacks/deploy/good.yaml": GOOD} | case.files)
            rows += [(*least(root, stack), name, stack) for stack in ("good", "bad")]
    print("| manifest | who asks | milliseconds | memory (MB) |\n|---|---|---|---|")
    who = {"good": "another stack", "bad": "its own stack"}
    for seconds, most, name, stack in sorted(rows, reverse=True)[:8]:
        print(f"| {name} | {who[stack]} | {seconds * 1000:.0f} | {most / 1e6:.0f} |")
    slowest, largest = max(row[0] for row in rows), max(row[1] for row in rows)
    shown = f"{slowest * 1000:.0f} ms, {largest / 1e6:.0f} MB"
    print(f"\n{len(CASES)} manifests, at most: {shown}")
    return int(slowest > SECONDS or largest > BYTES)


def least(root: Path, stack: str) -> tuple[float, int]:
    """Return the shortest of some runs without an index in seconds, and the most memory in bytes."""
    times, most = [], 0
    for _ in range(RUNS):
        shutil.rmtree(root / "home", ignore_errors=True)
        (root / "home").mkdir()
        began = time.perf_counter()
        child = subprocess.Popen(
            [str(BIN / "atmos-wrap"), "describe", "component", "app", "-s", stack],
            env={"HOME": str(root / "home"), "PATH": os.defpath},
            cwd=root,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        _, status, used = os.wait4(child.pid, 0)
        times.append(time.perf_counter() - began)
        child.returncode = os.waitstatus_to_exitcode(status)
        if child.returncode != (0 if stack == "good" else 78):
            raise RuntimeError(f"exit {child.returncode}")
        most = max(most, used.ru_maxrss * 1024)
    return min(times), most


if __name__ == "__main__":
    sys.exit(main())
