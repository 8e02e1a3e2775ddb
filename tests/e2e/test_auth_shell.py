"""`auth shell`: real shells at a terminal, in which programs run as the identity."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import ended, hang_up

ATMOS = """\
base_path: .
auth:
  realm: shells
  providers:
    m: {kind: mock/aws}
  identities:
    dev: {kind: mock/aws, default: true, via: {provider: m}}
    prod: {kind: mock/aws, via: {provider: m}}
env: {TEAM: from-atmos}
"""
PROMPT = "ready> "
NO_FILES = {"bash": ["--norc", "--noprofile", "-i"], "zsh": ["-f", "-i"], "fish": ["-N", "-i"]}
SET_PROMPT = {
    "bash": f"PS1='{PROMPT[:-2]}''{PROMPT[-2:]}'",
    "zsh": f"PS1='{PROMPT[:-2]}''{PROMPT[-2:]}'; unsetopt zle prompt_cr prompt_sp",
    "fish": f"function fish_prompt; echo -n '{PROMPT[:-2]}''{PROMPT[-2:]}'; end",
}


@pytest.fixture
def repo(cli: Cli) -> Path:
    """A repository with two identities that need no cloud."""
    (cli.cwd / "atmos.yaml").write_text(ATMOS)
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    (binaries / "atmos-wrap").symlink_to(cli.program)
    return cli.cwd


@pytest.fixture(params=["bash", "zsh", "fish"])
def terminal(
    request: pytest.FixtureRequest, cli: Cli, repo: Path, tool: Callable[[str], str]
) -> Iterator[pexpect.spawn[str]]:
    """An interactive shell that `auth shell` has started, at its prompt."""
    name = request.param
    run = pexpect.spawn(
        cli.program,
        ["auth", "shell", "-i", "prod", "--shell", tool(name), "--", *NO_FILES[name]],
        cwd=str(repo),
        env=cli.child_environment({"TERM": "dumb"}),
        timeout=60,
        encoding="utf-8",
        dimensions=(40, 200),
    )
    run.expect("shell with identity: prod")
    run.sendline(SET_PROMPT[name])
    run.expect_exact(PROMPT)
    yield run
    hang_up(run)


def _say(run: pexpect.spawn[str], line: str, answer: str) -> None:
    run.sendline(line)
    run.expect_exact(answer)
    run.expect_exact(PROMPT)


def test_programs_in_the_shell_run_as_the_identity(terminal: pexpect.spawn[str]) -> None:
    show = """sh -c 'echo "<$ATMOS_IDENTITY,$ATMOS_SHLVL,$AWS_PROFILE,$TEAM>"'"""
    _say(terminal, show, "<prod,1,prod,from-atmos>")


def test_a_shell_in_the_shell_is_one_deeper_and_as_its_own_identity(
    terminal: pexpect.spawn[str],
) -> None:
    script = "'echo \"<$ATMOS_IDENTITY,$ATMOS_SHLVL>\"'"
    _say(terminal, f"atmos-wrap auth shell -i dev --shell sh -- -c {script}", "<dev,2>")
    _say(terminal, f"sh -c {script}", "<prod,1>")


def test_ctrl_c_ends_the_program_and_not_the_shell(terminal: pexpect.spawn[str]) -> None:
    # A loop: a signal between two commands of a plain list can be lost in sh itself.
    loop = "while :; do sleep 0.1; done"
    terminal.sendline(f"sh -c 'trap \"exit 130\" INT; echo be''gun; {loop}'")
    terminal.expect_exact("begun")
    terminal.sendintr()
    terminal.expect_exact(PROMPT)
    _say(terminal, "sh -c 'echo still''here'", "stillhere")


def test_a_job_is_stopped_and_taken_up_again(terminal: pexpect.spawn[str]) -> None:
    # What is typed before the job has the terminal back would not reach it in zsh.
    back = 'trap "echo resu""med" CONT'
    terminal.sendline(f"sh -c '{back}; echo be''gun; until read x; do :; done; echo go''t-$x'")
    terminal.expect_exact("begun")
    terminal.send("\x1a")
    terminal.expect_exact(PROMPT)
    terminal.sendline("fg")
    terminal.expect_exact("resumed")
    terminal.sendline("it")
    terminal.expect_exact("got-it")
    terminal.expect_exact(PROMPT)


def test_the_exit_code_is_the_shells(terminal: pexpect.spawn[str]) -> None:
    terminal.sendline("exit 7")
    ended(terminal)
    assert terminal.exitstatus == 7


def test_a_script_gets_no_word_of_ours(cli: Cli, repo: Path) -> None:
    done = cli("auth", "shell", "--shell", "sh", "--", "-c", "echo $ATMOS_IDENTITY; exit 5")
    assert done == (5, "dev\n", "")


def test_without_arguments_it_is_a_login_shell(cli: Cli, repo: Path) -> None:
    (Path(cli.environment["HOME"]) / ".profile").write_text("echo read; exit 3\n")
    assert cli("auth", "shell", "--shell", "sh") == (3, "read\n", "")


@pytest.mark.parametrize(
    ("given", "variables", "expected"),
    [
        (["--shell", "one"], {"ATMOS_SHELL": "two", "SHELL": "three"}, "one"),
        ([], {"ATMOS_SHELL": "two", "SHELL": "three"}, "two"),
        ([], {"SHELL": "three"}, "three"),
        ([], {}, "bash"),
    ],
)
def test_which_shell(
    cli: Cli, repo: Path, given: list[str], variables: dict[str, str], expected: str
) -> None:
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    for name in ("one", "two", "three", "bash"):
        (binaries / name).write_text(f'#!/bin/sh\necho {name} "$@"\n')
        (binaries / name).chmod(0o755)
    assert cli("auth", "shell", *given, env=variables).stdout == f"{expected} -l\n"


def test_without_bash_it_is_sh(cli: Cli, repo: Path, tmp_path: Path) -> None:
    alone = tmp_path / "alone"
    alone.mkdir()
    (alone / "sh").write_text('#!/bin/sh\necho sh "$@"\n')
    (alone / "sh").chmod(0o755)
    assert cli("auth", "shell", env={"PATH": str(alone)}).stdout == "sh -l\n"


def test_env_of_atmos_yaml_wins_and_a_warning_says_so(cli: Cli, repo: Path) -> None:
    text = ATMOS.replace("{TEAM: from-atmos}", "{AWS_PROFILE: mine}")
    (repo / "atmos.yaml").write_text(text)
    done = cli("auth", "shell", "--shell", "sh", "--", "-c", "echo $AWS_PROFILE")
    told = "warning: `env` of atmos.yaml wins over the identity: AWS_PROFILE\n"
    assert done == (0, "mine\n", told)


def test_switched_off_it_stays_so_for_what_runs_inside(cli: Cli, repo: Path) -> None:
    script = "echo $ATMOS_IDENTITY; atmos-wrap auth env --format json"
    done = cli("auth", "shell", "-i", "off", "--shell", "sh", "--", "-c", script)
    switch, _, variables = done.stdout.partition("\n")
    assert (switch, json.loads(variables), done.exit) == ("false", {}, 0)


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (["zsh"], 64, 'unexpected argument "zsh"'),
        (["--shell", "nonesuch"], 127, 'the program "nonesuch" is not there'),
        (["-i", "nobody"], 78, 'identity "nobody" is not defined'),
        (["-s", "dev"], 64, "--stack needs --component"),
    ],
)
def test_what_is_wrong_is_told_before_anything_starts(
    cli: Cli, repo: Path, given: list[str], code: int, told: str
) -> None:
    done = cli("auth", "shell", *given, "--", "-c", "echo started")
    assert (done.exit, done.stdout) == (code, "")
    assert told in done.stderr
