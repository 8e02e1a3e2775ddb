"""How the runs of several components are told, to people and to the shell."""

from __future__ import annotations

import pytest

from wrapper.stacks.dependencies import Node
from wrapper.terraform.invocation import Invocation
from wrapper.terraform.outcome import Ended, exit_code, summary


def ended(*codes: int | None) -> list[Ended]:
    """Return runs that ended so; None was not started."""
    return [Ended(Node(f"c{n}", "dev"), code, 1.0, "why") for n, code in enumerate(codes)]


@pytest.mark.parametrize(
    ("subcommand", "codes", "code"),
    [
        ("apply", (), 0),
        ("apply", (0, 0), 0),
        ("apply", (0, 1, 78, None), 78),
        ("apply", (2, 0), 2),
        ("plan", (0, 2), 2),
        ("plan", (2, 1), 1),
        ("plan", (None,), 0),
    ],
)
def test_the_exit_code_is_that_of_the_worst(
    subcommand: str, codes: tuple[int | None, ...], code: int
) -> None:
    assert exit_code(ended(*codes), subcommand) == code


def test_a_signal_counts_more_than_what_it_ended() -> None:
    assert exit_code(ended(0, 1, None), "apply", 15) == 143


def test_the_summary_counts_and_lists_all() -> None:
    told = summary(ended(0, 2, 1, None), Invocation("terraform", "plan"))
    assert told.splitlines() == [
        "plan: 2 of 4 done, 1 failed, 1 not run",
        "  c0  dev  done (1.0 s)",
        "  c1  dev  changes (1.0 s)",
        "  c2  dev  failed, exit code 1 (1.0 s)",
        "  c3  dev  not run: why",
    ]
    assert summary([], Invocation("terraform", "plan")) == ""
