"""A sign-in that waits for a person ends at once when it is told to, and the next one works."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import ended, hang_up
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
LOGIN = ("auth", "login")
Terminal = Callable[..., "pexpect.spawn[str]"]
# How each ends: what is done to it, and what a shell then says.
ENDS = {"ctrl-c": 130, "SIGTERM": 143, "SIGHUP": 129, "closed": 129}


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli, tmp_path: Path) -> Portal:
    """A portal at which nobody answers, and a browser in which nobody does anything."""
    sso_portal.pending = 1_000_000
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    browser = tmp_path / "bin" / "browser"
    browser.write_text(f"#!/bin/sh\ntouch {tmp_path}/opened\n")
    browser.chmod(0o755)
    cli.environment["AWS_ENDPOINT_URL"] = sso_portal.endpoint
    return sso_portal


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Terminal]:
    """Return a function that starts the program on a terminal of its own."""
    started: list[pexpect.spawn[str]] = []

    def start(*args: str, **env: str) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            cli.program,
            list(args),
            cwd=str(cli.cwd),
            env=cli.child_environment({"CI": None, **env}),
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 500),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        hang_up(child)


def told(child: pexpect.spawn[str], how: str) -> int:
    """End a program on a terminal; return its status as a shell says it."""
    if how == "closed":
        child.ptyproc.fileobj.close()  # type: ignore[attr-defined]  # the window is gone: the kernel hangs up
        child.wait()
        return 128 + (child.signalstatus or 0)
    if how == "ctrl-c":
        child.sendintr()
    else:
        child.kill(getattr(signal, how))
    ended(child)
    assert "Traceback" not in (child.before or "")
    if child.signalstatus is not None:
        return 128 + (child.signalstatus or 0)
    assert child.exitstatus is not None
    return child.exitstatus


def whole(home: Path) -> None:
    """See that nothing half-written is left."""
    for path in home.rglob("*"):
        if path.is_file():
            assert path.suffix in (".json", ".lock", ".identities"), path
            if path.suffix == ".json":
                json.loads(path.read_text())


@pytest.mark.parametrize("how", ENDS)
@pytest.mark.parametrize("way", ["device", "browser"])
def test_a_sign_in_that_waits_ends_at_once_and_the_next_one_works(
    cli: Cli, sso: Portal, terminal: Terminal, home: Path, tmp_path: Path, how: str, way: str
) -> None:
    env = {"BROWSER": str(tmp_path / "bin/browser")} if way == "browser" else {}
    child = terminal(*LOGIN, **env)
    child.expect_exact("sign in to provider" if way == "browser" else "code  WXYZ-1234")
    if way == "browser":
        while not (tmp_path / "opened").exists():
            pass
    assert told(child, how) == ENDS[how]
    whole(home)
    sso.decide()
    done = cli(*LOGIN, env={"ATMOS_FORCE_TTY": "true", "CI": "true"})
    assert done.exit == 0, done.stderr
    assert cli("exec", "--", "true").exit == 0


@pytest.mark.parametrize("how", ["ctrl-c", "SIGTERM", "SIGHUP"])
def test_one_that_waits_for_another_ends_alone(
    cli: Cli, sso: Portal, terminal: Terminal, how: str
) -> None:
    first = terminal(*LOGIN)
    first.expect_exact("code  WXYZ-1234")
    second = terminal(*LOGIN)
    second.expect_exact("waiting for")
    assert told(second, how) == ENDS[how]
    sso.decide()
    ended(first)
    assert first.exitstatus == 0
    assert sso.actions().count("StartDeviceAuthorization") == 1


@pytest.mark.parametrize("how", ["ctrl-c", "SIGTERM", "SIGHUP"])
def test_one_that_waits_for_another_which_ends_asks_itself(
    cli: Cli, sso: Portal, terminal: Terminal, how: str
) -> None:
    first = terminal(*LOGIN)
    first.expect_exact("code  WXYZ-1234")
    second = terminal(*LOGIN)
    second.expect_exact("waiting for")
    assert told(first, how) == ENDS[how]
    second.expect_exact("code  WXYZ-1234")
    sso.decide()
    ended(second)
    assert second.exitstatus == 0


def unread(cli: Cli, *args: str, **env: str) -> int:
    """Run the program with a pipe for its output that nobody reads; return its status."""
    read, write = os.pipe()
    os.close(read)
    run = subprocess.Popen(
        [cli.program, *args],
        env=cli.child_environment(env),
        cwd=cli.cwd,
        stdin=subprocess.DEVNULL,
        stdout=write,
        stderr=write,
        start_new_session=True,
    )
    os.close(write)
    try:
        return run.wait(60)
    finally:
        run.kill()
        run.wait()


def test_a_pipe_that_nobody_reads_any_more_ends_it(cli: Cli, sso: Portal, home: Path) -> None:
    shown = {"ATMOS_FORCE_TTY": "true", "CI": "true"}
    assert unread(cli, *LOGIN, **shown) == 141
    whole(home)
    sso.decide()
    assert cli(*LOGIN, env=dict(shown)).exit == 0


def test_an_error_that_nobody_reads_keeps_its_status(cli: Cli, sso: Portal) -> None:
    assert unread(cli, *LOGIN, CI="true") == 77
