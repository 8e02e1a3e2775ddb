from __future__ import annotations

import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper import shells
from wrapper.errors import UsageError

VALUES = {"PLAIN": "a_@%+=:,./-Z9", "SPACE": "a b", "QUOTE": "it's", "EMPTY": "", "LINES": "a\nb"}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        (
            "bash",
            (
                "unset OLD\nexport EMPTY=''\nexport LINES='a\nb'\nexport PLAIN=a_@%+=:,./-Z9\n"
                "export QUOTE='it'\"'\"'s'\nexport SPACE='a b'\n"
            ),
        ),
        (
            "fish",
            (
                "set -e OLD\nset -gx EMPTY ''\nset -gx LINES 'a\nb'\nset -gx PLAIN a_@%+=:,./-Z9\n"
                "set -gx QUOTE 'it\\'s'\nset -gx SPACE 'a b'\n"
            ),
        ),
        ("env", "EMPTY=\nLINES=a\nb\nPLAIN=a_@%+=:,./-Z9\nQUOTE=it's\nSPACE=a b\n"),
        (
            "github",
            (
                "EMPTY=\nLINES<<ATMOS_EOF_LINES\na\nb\nATMOS_EOF_LINES\n"
                "PLAIN=a_@%+=:,./-Z9\nQUOTE=it's\nSPACE=a b\n"
            ),
        ),
    ],
)
def test_each_format_has_its_bytes(form: str, text: str) -> None:
    assert shells.render(form, VALUES, {"OLD"}) == text


def test_a_delimiter_in_the_value_gets_a_number() -> None:
    text = shells.render("github", {"A": "x\nATMOS_EOF_A"})
    assert text == "A<<ATMOS_EOF_A_0\nx\nATMOS_EOF_A\nATMOS_EOF_A_0\n"


def test_what_is_no_name_never_becomes_code() -> None:
    assert shells.render("bash", {"A;touch x": "1"}, {"B;touch y"}) == ""


def test_an_unknown_format_is_refused() -> None:
    with pytest.raises(UsageError, match="unsupported format: xml"):
        shells.render("xml", {})


@given(st.text(st.characters(blacklist_characters="\0", blacklist_categories=("Cs",)), max_size=30))
def test_a_shell_reads_back_what_was_quoted(value: str) -> None:
    script = shells.render("bash", {"V": value}) + 'printf %s "$V"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, timeout=60)
    assert done.stdout.decode() == value
