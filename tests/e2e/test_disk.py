"""A disk that is full or read-only: said with the path, what was there stays, the next run works."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.fakes import aws

CONFIG = """\
base_path: .
auth:
  realm: lab
  identities:
    me:
      kind: aws/user
      default: true
      credentials: {access_key_id: !env KEY_ID, secret_access_key: !env SECRET, region: us-east-1}
"""
RUN = ("exec", "-i", "me", "--", "true")
LOGIN = ("auth", "login", "-i", "me", "--force")


@pytest.fixture
def user(cli: Cli, fake_aws: aws.Fake) -> aws.User:
    """A user with keys in the shell, who has not signed in yet."""
    found = fake_aws.user("111111111111", "me")
    (cli.cwd / "atmos.yaml").write_text(CONFIG)
    cli.environment |= {
        **fake_aws.environment(),
        "KEY_ID": found.access_key_id,
        "SECRET": found.secret_access_key,
    }
    return found


def _behind(cli: Cli, launcher: list[str], *command: str) -> Result:
    done = subprocess.run(
        [*launcher, cli.program, *command],
        env=cli.environment,
        cwd=cli.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert "Traceback" not in done.stderr
    assert "internal fault" not in done.stderr
    return Result(done.returncode, done.stdout, done.stderr)


def _full(cli: Cli, blocks: int, *command: str) -> Result:
    """Run it where no file can grow above a size, as on a full disk."""
    return _behind(cli, ["sh", "-c", f'ulimit -f {blocks}; exec "$@"', "sh"], *command)


@pytest.fixture
def read_only(cli: Cli, state: Path, tool: Callable[[str], str]) -> Callable[..., Result]:
    """Return a function that runs the program where nothing below STATE can be written."""
    launcher = []
    if os.geteuid() == 0:  # a root that permissions hold for, too
        launcher = [tool("setpriv"), "--inh-caps=-all", "--bounding-set=-all"]

    def run(*command: str) -> Result:
        directories = [state, *(path for path in state.rglob("*") if path.is_dir())]
        for path in directories:
            path.chmod(0o500)
        try:
            return _behind(cli, launcher, *command)
        finally:
            for path in directories:
                path.chmod(0o700)

    return run


def _contents(state: Path) -> dict[str, bytes]:
    """Return every file but locks, by path."""
    files = (path for path in state.rglob("*") if path.is_file() and path.suffix != ".lock")
    return {str(path.relative_to(state)): path.read_bytes() for path in files}


@pytest.mark.parametrize("blocks", [0, 1])
def test_a_first_sign_in_on_a_full_disk_is_an_error_and_leaves_no_part_of_a_file(
    cli: Cli, user: aws.User, state: Path, blocks: int
) -> None:
    done = _full(cli, blocks, *RUN)
    assert (done.exit, done.stdout) == (69, "")
    assert done.stderr.startswith(f"error: cannot write {state}/"), done.stderr
    assert ": File too large\nhint: check the disk and the permissions" in done.stderr
    assert [name for name in _contents(state) if name.endswith(".tmp")] == []
    empty = [path for path, data in _contents(state).items() if not data]
    assert [path for path in empty if not path.endswith("/credentials")] == []
    assert cli(*RUN).exit == 0


def test_a_sign_in_anew_on_a_full_disk_keeps_the_old_files(
    cli: Cli, user: aws.User, state: Path
) -> None:
    assert cli(*RUN).exit == 0
    before = _contents(state)
    done = _full(cli, 0, *LOGIN)
    assert (done.exit, done.stdout) == (69, "")
    assert done.stderr.startswith(f"error: cannot write {state}/realms/lab/"), done.stderr
    assert _contents(state) == before
    assert cli(*RUN).exit == 0


def test_what_is_there_is_used_on_a_full_and_on_a_read_only_disk(
    cli: Cli, user: aws.User, fake_aws: aws.Fake, read_only: Callable[..., Result]
) -> None:
    assert cli(*RUN).exit == 0
    asked = len(fake_aws.calls())
    assert _full(cli, 0, *RUN) == Result(0, "", "")
    assert read_only(*RUN) == Result(0, "", "")
    assert len(fake_aws.calls()) == asked


def test_a_read_only_disk_is_an_error_with_its_path_and_the_old_files_stay(
    cli: Cli, user: aws.User, state: Path, read_only: Callable[..., Result]
) -> None:
    assert cli(*RUN).exit == 0
    before = _contents(state)
    done = read_only(*LOGIN)
    assert (done.exit, done.stdout) == (69, "")
    assert f" {state}/realms/lab/sessions/" in done.stderr, done.stderr
    assert ": Permission denied\nhint: check the disk and the permissions" in done.stderr
    assert _contents(state) == before
    assert cli(*LOGIN).exit == 0


def test_a_read_only_state_from_the_start_is_an_error_with_its_path(
    cli: Cli, user: aws.User, state: Path, read_only: Callable[..., Result]
) -> None:
    state.mkdir(parents=True, mode=0o700)
    done = read_only(*RUN)
    assert (done.exit, done.stdout) == (69, "")
    told = f"error: cannot make the directory {state}/realms/lab/sessions: Permission denied\n"
    assert done.stderr.startswith(told), done.stderr
    assert list(state.iterdir()) == []


def test_a_plan_on_a_full_disk_is_an_error_before_terraform_is_started(
    cli: Cli, terraform: str
) -> None:
    for name, text in {
        "atmos.yaml": "base_path: .\ncomponents: {terraform: {base_path: components}}\n"
        'stacks: {base_path: stacks, included_paths: ["*.yaml"], name_pattern: "{stage}"}\n',
        "stacks/lab.yaml": "vars: {stage: lab}\ncomponents: {terraform: {part: {}}}\n",
        "components/part/main.tf": 'variable "stage" { type = string }\n',
    }.items():
        (cli.cwd / name).parent.mkdir(parents=True, exist_ok=True)
        (cli.cwd / name).write_text(text)
    done = _full(cli, 0, "terraform", "plan", "part", "-s", "lab")
    assert (done.exit, done.stdout) == (69, "")
    assert "error: cannot write" in done.stderr
    assert cli("terraform", "plan", "part", "-s", "lab").exit == 0
