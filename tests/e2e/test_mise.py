"""The environment plugin for mise, with the real mise activated in real shells."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import interactive

ACTIVATE = {
    "bash": 'eval "$(mise activate bash)"',
    "zsh": 'eval "$(mise activate zsh)"',
    "fish": "mise activate fish | source",
}
PLAIN = "[env]\n_.atmos-wrap = {}\n"


@pytest.fixture
def repository(cli: Cli, tool: Callable[[str], str], home: Path) -> Path:
    """A repository with a mise.toml that mise trusts, and the plugin linked as the page says."""
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    (binaries / "atmos-wrap").symlink_to(cli.program)
    (binaries / "mise").symlink_to(tool("mise"))
    cli.environment |= interactive.FOREIGN | {
        "MISE_OFFLINE": "1",
        "MISE_TRUSTED_CONFIG_PATHS": str(cli.cwd),
        # The same for each shell, fish's own XDG_CONFIG_HOME or not.
        "MISE_CONFIG_DIR": str(home / ".config/mise"),
    }
    interactive.allowed(cli, cli.cwd)
    mise(cli, "plugin", "link", "atmos-wrap", cli("hook", "mise").stdout.strip())
    (cli.cwd / "mise.toml").write_text(PLAIN)
    return cli.cwd


def mise(cli: Cli, *words: str, cwd: str = "/") -> subprocess.CompletedProcess[str]:
    """Run mise to its end."""
    return subprocess.run(
        ["mise", *words], cwd=cwd, env=cli.environment, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip


def shown(cli: Cli, repository: Path) -> tuple[dict[str, str], str]:
    """Return the variables that mise gives a program, and what it says."""
    done = mise(cli, "exec", "--", "env", cwd=str(repository))
    return dict(line.partition("=")[::2] for line in done.stdout.splitlines()), done.stderr


@pytest.mark.parametrize("name", interactive.NAMES)
def test_in_edited_and_out(
    cli: Cli, repository: Path, name: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    with interactive.started(name, tool(name), cli.environment, tmp_path, ACTIVATE[name]) as shell:
        before = shell.clouds()
        shell.run(f"cd {repository}")
        inside = shell.clouds()
        assert (inside["AWS_PROFILE"], inside["AWS_REGION"]) == ("outer", "eu-west-1")
        assert inside["ATMOS_WRAP_PROMPT"] == "outer?"
        # A plugin of mise can take nothing away; empty is none to the clouds' programs.
        for gone in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SSO_ACCOUNT_ID"):
            assert inside.get(gone, "") == ""
        shell.run("cd deep")
        assert shell.clouds() == inside
        path = repository / "atmos.yaml"
        path.write_text(path.read_text().replace("outer:", "renamed:"))
        os.utime(path, (2e9, 2e9))  # mise compares whole seconds
        assert "has changed since you allowed it" in shell.run("true")
        assert shell.clouds() == before
        shell.run("atmos-wrap allow > /dev/null")
        os.utime(path, (2e9 + 5, 2e9 + 5))
        shell.run("true")
        assert shell.clouds()["AWS_PROFILE"] == "renamed"
        shell.run("cd /")
        assert shell.clouds() == before


def test_an_option_names_a_stack_or_an_identity(cli: Cli, repository: Path) -> None:
    (repository / "stacks/dev.yaml").write_text(
        "vars: {stage: dev}\ncomponents: {terraform: {app: {}}}\n"
    )
    config = repository / "mise.toml"
    for given, profile, said in (
        ('{identity = "other"}', "other", ""),
        ('{stack = "dev"}', "outer", ""),
        ("true", "outer", ""),
        ('{identity = "x; touch owned"}', "foreign profile", "there is no identity"),
        ("{identity = \"x'; touch owned; '\"}", "foreign profile", "there is no identity"),
    ):
        config.write_text(f"[env]\n_.atmos-wrap = {given}\n")
        found, told = shown(cli, repository)
        assert (found["AWS_PROFILE"], said in told) == (profile, True)
    assert not list(repository.rglob("owned"))


def test_consent_counts_beside_that_of_mise(cli: Cli, repository: Path) -> None:
    assert cli("revoke").exit == 0
    found, told = shown(cli, repository)
    assert "is not allowed yet" in told
    assert {k: found.get(k) for k in interactive.FOREIGN} == interactive.FOREIGN
    assert "ATMOS_WRAP_PROMPT" not in found


def test_mise_is_told_no_file_that_is_not_there(cli: Cli, repository: Path) -> None:
    """It would take one for changed, and start the plugin at each prompt."""
    watched = json.loads(cli("hook-export", "mise").stdout)["watch_files"]
    assert str(repository / "atmos.yaml") in watched
    assert [path for path in watched if not Path(path).exists()] == []


def test_without_the_program_mise_goes_on(cli: Cli, repository: Path) -> None:
    Path(cli.environment["PATH"].partition(os.pathsep)[0], "atmos-wrap").unlink()
    found, told = shown(cli, repository)
    assert found["AWS_PROFILE"] == "foreign profile"
    assert "atmos-wrap: it cannot be run by mise" in told
