"""Completions offer commands, flags and the repository's names, in each shell."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.fakes import aws, demo_repository

COMPLETIONS = aws.CLONE / "completions"

BASH = """\
source "$1"; shift
COMP_WORDS=(atmos-wrap "$@"); COMP_CWORD=$#
_atmos_wrap
printf '%s\\n' "${COMPREPLY[@]-}"
"""

Complete = Callable[..., list[str]]


@pytest.fixture
def shell(cli: Cli) -> Cli:
    """The demo's repository, and the program in PATH."""
    demo_repository.write(cli.cwd)
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    (binaries / "atmos-wrap").symlink_to(cli.program)
    cli.environment |= {"DEMO_ACCESS_KEY_ID": "none", "DEMO_SECRET_ACCESS_KEY": "none"}
    return cli


@pytest.fixture(params=["bash", "fish"])
def complete(request: pytest.FixtureRequest, shell: Cli, tool: Callable[[str], str]) -> Complete:
    """Return a function: the words typed so far, the last one unfinished → what is offered."""
    program = tool(request.param)

    def in_bash(*words: str) -> list[str]:
        script = ["-u", "-c", BASH, "bash", str(COMPLETIONS / "atmos-wrap.bash")]
        return _lines([program, "--norc", *script, *words], shell)

    def in_fish(*words: str) -> list[str]:
        script = f"source {COMPLETIONS}/atmos-wrap.fish; complete -C {' '.join(words)!r}"
        line = script.replace("complete -C '", "complete -C 'atmos-wrap ")
        found = _lines([program, "--no-config", "-c", line], shell)
        return [one.partition("\t")[0] for one in found]

    return in_bash if request.param == "bash" else in_fish


def _lines(argv: list[str], shell: Cli) -> list[str]:
    done = subprocess.run(
        argv, env=shell.environment, cwd=shell.cwd, capture_output=True, text=True, timeout=60
    )
    assert done.stderr == ""
    return sorted(done.stdout.split("\n")[:-1])


def test_commands(complete: Complete) -> None:
    assert complete("ver") == ["version"]


def test_terraform_subcommands(complete: Complete) -> None:
    assert complete("terraform", "pl") == ["plan"]


def test_stacks(complete: Complete) -> None:
    assert complete("terraform", "plan", "app", "-s", "") == ["dev", "prod", "staging"]


def test_components(complete: Complete) -> None:
    assert complete("terraform", "plan", "") == ["app"]


def test_components_whose_values_are_listed(complete: Complete) -> None:
    assert complete("list", "vars", "") == ["app"]


def test_identities_to_explain(complete: Complete) -> None:
    assert complete("why", "dev") == ["dev-deploy"]


def test_schemas(complete: Complete) -> None:
    assert complete("describe", "schema", "m") == ["manifest"]


def test_identities(complete: Complete) -> None:
    assert complete("auth", "login", "-i", "") == [
        "alice",
        "audit",
        "dev-deploy",
        "hub",
        "prod-deploy",
    ]


def test_profiles(complete: Complete) -> None:
    assert complete("list", "stacks", "--profile", "") == ["ci"]


def test_a_name_is_never_run(shell: Cli, tool: Callable[[str], str]) -> None:
    (shell.cwd / "stacks/deploy/evil.yaml").write_text(
        "import: [catalog/app]\nvars: {stage: 'x$(touch ran)'}\n"
    )
    script = ["-u", "-c", BASH, "bash", str(COMPLETIONS / "atmos-wrap.bash")]
    offered = _lines([tool("bash"), "--norc", *script, "list", "components", "-s", "x"], shell)
    assert offered == [r"x\$\(touch\ ran\)"]
    assert not (shell.cwd / "ran").exists()


def test_zsh_completes_a_stack(shell: Cli, tool: Callable[[str], str], home: Path) -> None:
    (home / ".zshrc").write_text(
        f"fpath=({COMPLETIONS} $fpath)\nautoload -Uz compinit\ncompinit -u\n"
        "PS1='ready> '\nunsetopt zle_bracketed_paste\n"
    )
    child = pexpect.spawn(
        tool("zsh"), ["-i"], env=shell.environment, cwd=str(shell.cwd), timeout=30, encoding="utf-8"
    )
    child.expect("ready> ")
    child.send("atmos-wrap terraform plan app -s st\t")
    child.expect("staging")
    child.sendcontrol("u")
    child.sendline("exit 0")
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0
