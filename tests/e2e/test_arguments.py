"""What a user writes for Terraform arrives at the program in order and unchanged, byte by byte."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.conftest import Cli
from tests.e2e import repository
from wrapper.cli.terraform_args import VALUED

# Writes down its last call, each argument with a NUL behind it; acts as if all went well.
TERRAFORM = """#!/bin/sh
printf '%s\\0' "$@" > "$RECORD"
case "$1 $2" in
  "workspace select") mkdir -p .terraform && printf %s "$4" > .terraform/environment ;;
esac
exit 0
"""
VARFILE = "prod-app.terraform.tfvars.json"
PLAN = ["plan", "-var-file", VARFILE, "-out", "prod-app.planfile"]
APPLY = ["apply", "-var-file", VARFILE]

Arrived = Callable[[Sequence[str]], list[str]]


@pytest.fixture
def arrived(cli: Cli, environment: dict[str, str], tmp_path: Path) -> Arrived:
    """Return a function that runs the program and gives what its terraform was called with."""
    repository.write(cli.cwd)
    program = Path(environment["PATH"].partition(os.pathsep)[0], "terraform")
    program.write_text(TERRAFORM)
    program.chmod(0o755)
    record = tmp_path / "record"

    def run(argv: Sequence[str]) -> list[str]:
        done = cli("terraform", *argv, env={"RECORD": str(record)})
        assert (done.exit, done.stdout, done.stderr) == (0, "", "")
        return os.fsdecode(record.read_bytes()).split("\0")[:-1]

    return run


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        (
            ["plan", "app", "-s", "prod", "-destroy", "-target=x", "-var", "a=b c", "--", "-raw"],
            [*PLAN, "-destroy", "-target=x", "-var", "a=b c", "-raw"],
        ),
        (
            ["plan", "-destroy", "app", "-sprod", "-s", "prod"],
            [*PLAN, "-destroy", "-sprod"],
        ),
        (
            ["plan", "-var", "-s", "-s", "prod", "app", "-target", "--stack=x", "--", "--"],
            [*PLAN, "-var", "-s", "-target", "--stack=x", "--"],
        ),
        (
            ["apply", "app", "--stack=prod", "-auto-approve", "-var", "", "--", "-s", "dev", "*"],
            [*APPLY, "-auto-approve", "-var", "", "-s", "dev", "*"],
        ),
        (
            ["state", "mv", "app", "-s", "prod", 'a["b c"]', "module.x[0]", "-lock=false"],
            ["state", "mv", 'a["b c"]', "module.x[0]", "-lock=false"],
        ),
        (
            ["login", "app.example.com"],
            ["login", "app.example.com"],
        ),
        (
            ["output", "app", "-s", "prod", "-raw", "name"],
            ["output", "-raw", "name"],
        ),
        (
            ["plan", "app", "-s", "prod", "-var", "x=\udcff\udc80", "-var", "y=\n\t$(id)`id`'\""],
            [*PLAN, "-var", "x=\udcff\udc80", "-var", "y=\n\t$(id)`id`'\""],
        ),
    ],
)
def test_arguments_written_by_people(
    arrived: Arrived, argv: list[str], expected: list[str]
) -> None:
    assert arrived(argv) == expected


_bytes = st.binary(max_size=12).map(lambda b: os.fsdecode(b.replace(b"\0", b"0")))
_value = st.one_of(_bytes, st.sampled_from(["", " ", "-s", "--", "--stack=dev", "-i", "app", "-h"]))
_word = _bytes.filter(lambda w: bool(w) and not w.startswith("-"))
_flag = st.sampled_from(["-destroy", "-json", "-no-color", "-auto-approve", "-sx", "-idev", "-x=y"])
_joined = st.builds("{}={}".format, st.sampled_from(["-var", "-target", "-s1"]), _bytes)
_valued = st.tuples(st.sampled_from(sorted(VALUED - {"-out"})), _value)
_theirs = st.one_of(_flag.map(lambda f: (f,)), _joined.map(lambda f: (f,)), _valued)
_ours = st.sampled_from([("-s", "prod"), ("--stack", "prod"), ("--stack=prod",), ("--no-color",)])


@settings(deadline=None, max_examples=60)
@given(data=st.data())
def _property(arrived: Arrived, data: st.DataObject) -> None:
    before = data.draw(st.lists(st.one_of(_theirs, _ours), max_size=4))
    behind = st.one_of(_theirs, _ours, _word.map(lambda w: (w,)))
    after = data.draw(st.lists(behind, max_size=6))
    tail = data.draw(st.none() | st.lists(_value, max_size=4))
    own = data.draw(_ours.filter(lambda f: f != ("--no-color",)))
    ours = {("-s", "prod"), ("--stack", "prod"), ("--stack=prod",), ("--no-color",)}
    argv = ["plan", *_flat(before), "app", *own, *_flat(after)]
    expected = [*PLAN, *_flat(part for part in (*before, *after) if part not in ours)]
    if tail is not None:
        argv += ["--", *tail]
        expected += tail
    assert arrived(argv) == expected


def _flat(parts: object) -> list[str]:
    return [argument for part in parts for argument in part]  # type: ignore[attr-defined]


def test_arguments_of_any_kind(arrived: Arrived) -> None:
    _property(arrived)
