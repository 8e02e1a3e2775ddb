"""Switches with a value, as Atmos takes them."""

from __future__ import annotations

import pytest
import typer

from wrapper import cli
from wrapper.cli import booleans
from wrapper.errors import UsageError

COMMAND = typer.main.get_command(cli.build("describe"))


@pytest.mark.parametrize(
    ("given", "plain"),
    [
        ("describe affected --verbose=true", "describe affected --verbose"),
        ("describe affected --verbose=false -q .a", "describe affected -q .a"),
        ("describe affected --base=true", "describe affected --base=true"),
        ("describe affected -- --verbose=true", "describe affected -- --verbose=true"),
        ("describe stacks --include-empty-stacks=1", "describe stacks --include-empty-stacks"),
        ("describe component c --verbose=true", "describe component c --verbose=true"),
        ("--verbose=true", "--verbose=true"),
    ],
)
def test_a_switch_stands_alone_or_is_left_out(given: str, plain: str) -> None:
    assert booleans.plain(COMMAND, given.split()) == plain.split()


def test_another_value_is_refused() -> None:
    with pytest.raises(UsageError):
        booleans.plain(COMMAND, ["describe", "affected", "--verbose=maybe"])
