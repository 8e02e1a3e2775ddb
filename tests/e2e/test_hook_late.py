"""A prompt waits for work and for disks, but not for ever."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.test_hook_below import config
from wrapper.hook.code import FORM

LATE = "took more than {} s to read: nothing is set here"


@pytest.fixture
def repo(cli: Cli) -> Path:
    """A repository that is allowed."""
    made = cli.cwd / "repo"
    made.mkdir()
    (made / "atmos.yaml").write_text(config())
    assert cli("allow", cwd=made).exit == 0
    return made


@pytest.mark.parametrize(("seconds", "set_"), [(1.2, True), (6, False)])
def test_a_disk_may_take_longer_than_work_may(
    cli: Cli, repo: Path, tool: Callable[[str], str], seconds: float, set_: bool
) -> None:
    delay = f"openat:delay_enter={seconds * 1000:.0f}ms:when=1"
    done = subprocess.run(
        [
            tool("strace"), "-o", "/dev/null", "-P", str(repo / "atmos.yaml"), "-e", "trace=openat",
            "-e", f"inject={delay}", cli.program, "hook-env", "bash", str(repo), FORM,
        ],
        env=cli.environment, cwd=repo, capture_output=True, text=True, timeout=60, check=True,
    )  # fmt: skip
    assert ("AWS_PROFILE" in done.stdout.partition("_new_unset")[0]) == set_
    assert (LATE.format(5) in done.stdout) != set_


def test_a_configuration_that_takes_long_to_read_is_left_alone(cli: Cli, repo: Path) -> None:
    # Some four seconds of work: less than the time for which a prompt waits altogether.
    more = "".join(f"  name-{n}: {{a: [b, c, {{d: e}}], f: !env F}}\n" for n in range(10_000))
    (repo / "atmos.d").mkdir()
    (repo / "atmos.d/long.yaml").write_text(f"settings:\n{more}")
    done = cli("hook-env", "bash", str(repo), FORM, cwd=repo)
    assert (done.exit, done.stderr) == (0, "")
    # On a machine that stands still the time altogether may be over first.
    assert any(LATE.format(seconds) in done.stdout for seconds in (1, 5))
    assert "AWS_PROFILE" not in done.stdout.partition("_new_unset")[0]
