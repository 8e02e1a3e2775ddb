"""A program that has to print a token: how long it may take, and what it leaves behind."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from wrapper.auth.kinds import _program
from wrapper.errors import AuthError
from wrapper.world import World


def test_what_is_printed_is_the_token_without_white_space(outside: World) -> None:
    argv = [sys.executable, "-c", "print('a.b.c\\n')"]
    assert _program.printed("it", argv, outside, "hint") == "a.b.c"


def test_a_program_that_hangs_ends_with_all_that_it_started(outside: World, tmp_path: Path) -> None:
    never = tmp_path / "never"
    os.mkfifo(never)
    argv = ["sh", "-c", f"cat {never} & wait"]
    with pytest.raises(AuthError) as caught:
        _program.printed("it", argv, outside, "hint", seconds=0.5)
    assert caught.value.message == "it: sh did not end within 0.5 s"
    with pytest.raises(OSError, match="No such device"):  # nobody reads it any more
        os.open(never, os.O_WRONLY | os.O_NONBLOCK)


def test_only_the_given_environment_is_there(outside: World) -> None:
    world = outside._replace(environ={"PATH": os.defpath, "ONE": "1"})
    found = _program.printed("it", ["sh", "-c", "echo ${ONE}${HOME:-none}"], world, "hint")
    assert found == "1none"
