"""Signals: Terraform stops by itself and lets go of the state; a killed wrapper leaves nothing broken."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e import repository
from tests.e2e.ends import ended
from tests.fakes import aws, demo_repository

APPLY = ("terraform", "apply", "app", "-s", "dev", "-auto-approve", "-no-color")


def _until(what: Callable[[], bool], seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < end, "it did not happen"
        time.sleep(0.02)


@pytest.fixture
def holding(cli: Cli, terraform: str, tmp_path: Path) -> Path:
    """A repository whose apply goes on until it is stopped; returns the file that says it began."""
    began = tmp_path / "began"
    repository.write(cli.cwd, {"components/terraform/app/hold.auto.tfvars": f'hold = "{began}"\n'})
    return began


def _lock_of_the_state(cli: Cli) -> list[Path]:
    return list(cli.cwd.rglob(".*.lock.info"))


def _stopped_by_itself(cli: Cli, output: str, code: int) -> None:
    assert code == 1
    assert "Interrupt received." in output
    assert "Two interrupts received" not in output
    assert _lock_of_the_state(cli) == []
    (cli.cwd / "components/terraform/app/hold.auto.tfvars").unlink()
    again = cli(*APPLY)
    assert (again.exit, "Apply complete!" in again.stdout) == (0, True)


def test_ctrl_c_at_the_terminal_lets_terraform_stop_by_itself(cli: Cli, holding: Path) -> None:
    run = pexpect.spawn(
        cli.program,
        list(APPLY),
        cwd=str(cli.cwd),
        env=cli.child_environment(None),
        timeout=60,
        encoding="utf-8",
    )
    _until(holding.exists)
    assert len(_lock_of_the_state(cli)) == 1
    run.sendintr()
    ended(run)
    _stopped_by_itself(cli, run.before, run.exitstatus)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("group", [False, True], ids=["process", "group"])
def test_a_signal_without_a_terminal_reaches_terraform_once(
    cli: Cli, holding: Path, number: signal.Signals, group: bool
) -> None:
    run = cli.start(*APPLY)
    try:
        _until(holding.exists)
        (os.killpg if group else os.kill)(run.pid, number)
        output, errors = run.communicate(timeout=60)
    finally:
        run.kill()
    _stopped_by_itself(cli, output + errors, run.returncode)


def test_ctrl_c_while_terraform_asks_is_terraforms_answer(cli: Cli, terraform: str) -> None:
    repository.write(cli.cwd)
    run = pexpect.spawn(
        cli.program,
        ["terraform", "apply", "app", "-s", "dev"],
        cwd=str(cli.cwd),
        env=cli.child_environment(None),
        timeout=60,
        encoding="utf-8",
    )
    run.expect("Enter a value:")
    run.sendintr()
    ended(run)
    assert run.exitstatus == 1
    assert _lock_of_the_state(cli) == []


def test_terraform_killed_gives_128_and_the_number(cli: Cli, holding: Path) -> None:
    run = cli.start(*APPLY)
    try:
        _until(holding.exists)
        with open(f"/proc/{run.pid}/task/{run.pid}/children", encoding="ascii") as stream:
            (child,) = stream.read().split()
        os.kill(int(child), signal.SIGKILL)
        run.communicate(timeout=60)
    finally:
        run.kill()
    assert run.returncode == 128 + signal.SIGKILL


@pytest.fixture
def demo(cli: Cli, terraform: str, fake_aws: aws.Fake) -> demo_repository.Demo:
    """The repository whose states are in S3, and its user's keys in the environment."""
    made = demo_repository.prepare(fake_aws, cli.cwd)
    cli.environment |= fake_aws.environment() | {
        "DEMO_ACCESS_KEY_ID": made.user.access_key_id,
        "DEMO_SECRET_ACCESS_KEY": made.user.secret_access_key,
    }
    return made


def test_ctrl_c_lets_go_of_a_state_in_s3(
    cli: Cli, demo: demo_repository.Demo, fake_aws: aws.Fake, tmp_path: Path
) -> None:
    began = tmp_path / "began"
    slow = f"touch {began}; i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done"
    module = cli.cwd / "components/terraform/app/slow.tf"
    module.write_text(
        f'resource "terraform_data" "slow" {{\n  provisioner "local-exec" {{ command = "{slow}" }}\n}}\n'
    )
    run = pexpect.spawn(
        cli.program,
        list(APPLY),
        cwd=str(cli.cwd),
        env=cli.child_environment(None),
        timeout=60,
        encoding="utf-8",
    )
    _until(began.exists)
    assert _locks_in_s3(fake_aws) == ["app/dev/terraform.tfstate.tflock"]
    run.sendintr()
    ended(run)
    assert (run.exitstatus, "Two interrupts received" in run.before) == (1, False)
    assert _locks_in_s3(fake_aws) == []


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_wrapper_killed_at_any_moment_leaves_nothing_half_written(
    cli: Cli, demo: demo_repository.Demo, fake_aws: aws.Fake, number: signal.Signals
) -> None:
    fake_aws.script("sts:*", delay=0.1)
    chance = random.Random(int(number))
    home = Path(cli.environment["HOME"])
    for _ in range(15):
        run = cli.start("terraform", "workspace", "app", "-s", "dev")
        try:
            time.sleep(chance.uniform(0.03, 1.2))
            os.kill(run.pid, number)
            run.communicate(timeout=60)
        finally:
            run.kill()
        _all_readable(home, cli.cwd)
        chance.choice((_forget_sessions, _forget_nothing))(home)
    fake_aws.unscript()
    done = cli("terraform", "plan", "app", "-s", "dev", "-detailed-exitcode", timeout=60)
    assert done.exit == 2
    assert _locks_in_s3(fake_aws) == []


def _all_readable(*places: Path) -> None:
    for place in places:
        for path in place.rglob("*.json"):
            json.loads(path.read_text())


def _locks_in_s3(fake: aws.Fake) -> list[str]:
    objects = fake.objects(demo_repository.HUB, demo_repository.BUCKET)
    return [name for name in objects if name.endswith(".tflock")]


def _forget_sessions(home: Path) -> None:
    for path in home.rglob("sessions/*.json"):
        path.unlink()


def _forget_nothing(home: Path) -> None:
    pass
