"""A small part of `make fuzz`: broken files and command lines are answered, never with a fault of ours."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.fakes import aws


@pytest.mark.slow
def test_whatever_is_written_is_answered(environment: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz", "--inputs", "2000", "--seed", "1", "--jobs", "1"],
        cwd=aws.CLONE,
        env=environment,
        capture_output=True,
        text=True,
        timeout=280,
    )
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
