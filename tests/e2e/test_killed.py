"""`kill -9` at every change of a file: each file is the old or the new one, the next run works."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes.portal import Portal

CONFIG = """
base_path: ./
auth:
  realm: lab
  providers:
    sso: {kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1}
  identities:
    dev: {kind: aws/permission-set, default: true, via: {provider: sso}, principal: {name: Admin, account: {name: dev}}}
"""
# The changes of files and directories: a new file is empty at `fchmod`, full at `rename`.
CHANGES = ("mkdir", "fchmod", "rename", "unlink", "ftruncate")
RUN = ("exec", "-i", "dev", "--", "true")
Strace = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def strace(cli: Cli, tool: Callable[[str], str]) -> Strace:
    """Return a function that runs the program under strace."""
    program = tool("strace")

    def run(*options: str, command: Sequence[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [program, "-f", "-qq", *options, cli.program, *command],
            env=cli.environment,
            cwd=cli.cwd,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=60,
        )

    return run


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli) -> Portal:
    """Write the repository; the program shows page and code, and the portal confirms at once."""
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    cli.environment |= {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "ATMOS_FORCE_TTY": "true",
        "CI": "true",
    }
    return sso_portal


def _changes(strace: Strace, command: Sequence[str], trace: Path) -> list[tuple[str, int]]:
    """Return every change that a run makes, as the call and its number."""
    done = strace("-e", f"trace={','.join(CHANGES)}", "-o", str(trace), command=command)
    assert done.returncode == 0, done.stderr
    counted: Counter[tuple[str, str]] = Counter(
        (found[1], found[2])
        for line in trace.read_text().splitlines()
        if (found := re.match(r"(\d+) +(\w+)\(", line))
    )
    highest: dict[str, int] = {}
    for (_, call), number in counted.items():
        highest[call] = max(highest.get(call, 0), number)
    return [(call, n) for call, number in highest.items() for n in range(1, number + 1)]


def _whole(state: Path) -> None:
    """Every file of ours is whole, private, and nothing but a temporary file stands beside it."""
    for file in (path for path in state.rglob("*") if path.is_file()):
        assert file.stat().st_mode & 0o077 == 0, file
        if file.suffix in (".json", ".identities", ".failed"):
            assert json.loads(file.read_text())["version"] == 1, file
        elif file.suffix not in (".tmp", ".lock"):
            assert file.name in ("config", "credentials"), file
            assert file.name == "credentials" or "[profile dev]" in file.read_text()


def _copied(state: Path, kept: Path) -> None:
    shutil.rmtree(state, ignore_errors=True)
    if kept.is_dir():
        shutil.copytree(kept, state)


def _every_kill(
    cli: Cli, strace: Strace, state: Path, kept: Path, command: Sequence[str], tmp_path: Path
) -> int:
    """Kill the command at each of its changes, from the kept state; return how often it died."""
    _copied(state, kept)
    changes = _changes(strace, command, tmp_path / "trace")
    died = 0
    for call, number in changes:
        _copied(state, kept)
        inject = f"inject={call}:signal=KILL:when={number}"
        killed = strace("-e", inject, "-o", os.devnull, command=command)
        died += killed.returncode == -9
        _whole(state)
        done = cli(*RUN)
        assert done.exit == 0, (call, number, done.stderr)
        assert "waiting for atmos-wrap" not in done.stderr  # a lock ends with its process
        _whole(state)
    return died


@pytest.mark.slow
def test_a_sign_in_that_is_killed_at_any_change_leaves_nothing_broken(
    cli: Cli, sso: Portal, strace: Strace, state: Path, tmp_path: Path
) -> None:
    died = _every_kill(cli, strace, state, tmp_path / "none", RUN, tmp_path)
    # Token, two sessions, the AWS configuration's three files: each has a mode and a name.
    assert died >= 12


@pytest.mark.slow
def test_a_sign_in_anew_that_is_killed_leaves_the_old_or_the_new(
    cli: Cli, sso: Portal, strace: Strace, state: Path, tmp_path: Path
) -> None:
    assert cli(*RUN).exit == 0
    _copied(tmp_path / "kept", state)
    died = _every_kill(
        cli, strace, state, tmp_path / "kept", ("auth", "login", "-i", "dev"), tmp_path
    )
    assert died >= 3


@pytest.mark.slow
def test_a_logout_that_is_killed_leaves_nothing_broken(
    cli: Cli, sso: Portal, strace: Strace, state: Path, tmp_path: Path
) -> None:
    assert cli(*RUN).exit == 0
    _copied(tmp_path / "kept", state)
    command = ("auth", "logout", "--provider", "sso")
    assert _every_kill(cli, strace, state, tmp_path / "kept", command, tmp_path) >= 2
