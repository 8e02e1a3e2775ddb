"""Who waits for another's sign-in can leave, and goes on when that other one is gone."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter
from collections.abc import Iterator

import pytest

from tests.conftest import Cli
from tests.e2e.test_killed import CONFIG, RUN
from tests.fakes.portal import Portal

Run = subprocess.Popen[str]
DEADLINE = 60


@pytest.fixture
def sso(sso_portal: Portal, cli: Cli) -> Portal:
    """A portal where nobody has confirmed yet, and a repository that uses it."""
    sso_portal.pending = 1 << 30
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    cli.environment |= {
        "AWS_ENDPOINT_URL": sso_portal.endpoint,
        "ATMOS_FORCE_TTY": "true",
        "CI": "true",
    }
    return sso_portal


@pytest.fixture
def started(cli: Cli) -> Iterator[list[Run]]:
    """The runs of a test; none of them outlives it."""
    runs: list[Run] = []
    yield runs
    for run in runs:
        if run.poll() is None:
            run.kill()
            run.communicate()


def _start(cli: Cli, started: list[Run], until: str) -> Run:
    """Start a run, and return it when it has said a line."""
    run = cli.start(*RUN)
    started.append(run)
    assert run.stderr is not None
    said = []
    for line in run.stderr:
        said.append(line)
        if until in line:
            return run
    raise AssertionError(f"it ended with {run.wait()}: {said}")


def _holder(cli: Cli, started: list[Run]) -> Run:
    return _start(cli, started, "waiting for the confirmation in the browser")


def _waiter(cli: Cli, started: list[Run], holder: Run) -> Run:
    return _start(
        cli, started, f'waiting for atmos-wrap provider "sso" (pid {holder.pid}), which signs in'
    )


@pytest.mark.parametrize(
    ("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, -signal.SIGTERM)]
)
def test_a_waiter_that_is_interrupted_ends_alone(
    cli: Cli, sso: Portal, started: list[Run], number: signal.Signals, code: int
) -> None:
    holder = _holder(cli, started)
    leaving, staying = (_waiter(cli, started, holder) for _ in range(2))
    leaving.send_signal(number)
    out, err = leaving.communicate(timeout=DEADLINE)
    assert (leaving.returncode, out, err) == (code, "", "")
    assert (holder.poll(), staying.poll()) == (None, None)
    sso.decide()
    ends = [run.communicate(timeout=DEADLINE) for run in (holder, staying)]
    assert [holder.returncode, staying.returncode] == [0, 0], ends
    assert Counter(sso.actions())["StartDeviceAuthorization"] == 1


def test_a_holder_that_is_killed_is_followed_by_a_waiter(
    cli: Cli, sso: Portal, started: list[Run]
) -> None:
    holder = _holder(cli, started)
    waiters = [_waiter(cli, started, holder) for _ in range(2)]
    holder.kill()
    holder.communicate(timeout=DEADLINE)
    sso.decide()
    ends = [run.communicate(timeout=DEADLINE) for run in waiters]
    assert [run.returncode for run in waiters] == [0, 0], ends
    asked = Counter(sso.actions())
    assert (asked["StartDeviceAuthorization"], asked["GetRoleCredentials"]) == (2, 1)


def test_a_holder_that_is_interrupted_leaves_the_sign_in_to_a_waiter(
    cli: Cli, sso: Portal, started: list[Run]
) -> None:
    holder = _holder(cli, started)
    waiter = _waiter(cli, started, holder)
    holder.send_signal(signal.SIGINT)
    holder.communicate(timeout=DEADLINE)
    assert holder.returncode == 130
    sso.decide()
    _, said = waiter.communicate(timeout=DEADLINE)
    assert (waiter.returncode, "  code  " in said) == (0, True)
    assert Counter(sso.actions())["StartDeviceAuthorization"] == 2
