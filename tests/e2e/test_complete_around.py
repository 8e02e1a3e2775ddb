"""Tab where something stands before our program, or where little else is as it should be."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import odd_names, typed
from tests.e2e.test_complete_shells import package
from tests.e2e.typed import TAB

__all__ = ["package"]
# What may stand in front, by shell; `bash+` is bash behind the package `bash-completion`.
FRONT = {
    "bash": ("A=1 B='2 3' ", "true; ", "true && ", "true | ", "{ "),
    "bash+": ("A=1 ", "sudo ", "command ", "time ", "true; "),
    "zsh": ("A=1 ", "sudo ", "command ", "noglob ", "env X=1 ", "nice -n 5 ", "time ", "true; "),
    "fish": ("A=1 ", "sudo ", "command ", "time ", "true; ", "true | ", "not "),
}
ALIAS = {
    "bash": "alias aw=atmos-wrap\ncomplete -F _atmos_wrap aw\n",
    "bash+": "set -u\nalias aw=atmos-wrap\ncomplete -F _atmos_wrap aw\n",
    "zsh": "alias aw='noglob atmos-wrap'\nalias atmos-wrap='noglob atmos-wrap'\n",
    "zsh complete_aliases": "setopt complete_aliases\nalias aw=atmos-wrap\ncompdef aw=atmos-wrap\n",
    "fish": "alias aw=atmos-wrap\n",
}
LINE, WORDS = f"terraform plan c5 -s {TAB}", ["terraform", "plan", "c5", "-s", "`touch ran`"]


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """The program in a repository of odd names; `sudo` runs what it is given."""
    odd_names.write(tmp_path / "repo")
    sudo = tmp_path / "bin/sudo"
    sudo.write_text('#!/bin/sh\nexec "$@"\n')
    sudo.chmod(0o755)
    return Cli(environment, tmp_path / "repo")


@pytest.mark.parametrize("name", FRONT)
def test_what_stands_in_front(
    cli: Cli, tool: Callable[[str], str], request: pytest.FixtureRequest, name: str
) -> None:
    shell = name.rstrip("+")
    before = request.getfixturevalue("package") if shell != name else ""
    text = typed.completion(cli, shell, cli.environment)
    with typed.started(shell, tool(shell), cli, text, before) as keys:
        found = {
            front: keys.run(f"{front}atmos-wrap {LINE}{'; }' if front == '{ ' else ''}")
            for front in FRONT[name]
        }

    assert found == dict.fromkeys(FRONT[name], WORDS)


@pytest.mark.parametrize("name", ALIAS)
def test_another_name(
    cli: Cli, tool: Callable[[str], str], request: pytest.FixtureRequest, name: str
) -> None:
    shell = name.split(maxsplit=1)[0].rstrip("+")
    before = request.getfixturevalue("package") if "+" in name else ""
    text = typed.completion(cli, shell, cli.environment)
    with typed.started(shell, tool(shell), cli, text, before, ALIAS[name]) as keys:
        assert keys.run(f"aw {LINE}") == WORDS
        assert keys.run(f"atmos-wrap {LINE}") == WORDS
