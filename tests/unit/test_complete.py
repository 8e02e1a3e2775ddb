"""What stands at the cursor, and which names are offered for it."""

from __future__ import annotations

import pytest

from wrapper import complete


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (["auth", "env", "--identity", ""], "identity"),
        (["auth", "env", "--identity=b"], "identity"),
        (["auth", "logout", ""], "identity"),
        (["auth", "list", ""], "file"),
        (["terraform", ""], "subcommand"),
        (["terraform", "plan", ""], "component"),
        (["terraform", "generate", ""], "word"),
        (["terraform", "generate", "varfile", ""], "component"),
        (["terraform", "plan", "app", ""], "file"),
        (["terraform", "plan", "app", "-s", ""], "stack"),
        (["terraform", "plan", "-s", "dev", ""], "component"),
        (["describe", "component", ""], "component"),
        (["list", "vars", ""], "component"),
        (["describe", "schema", ""], "word"),
        (["why", ""], "identity"),
        (["profile", "show", ""], "profile"),
        (["--profile", ""], "profile"),
        (["--config", ""], "file"),
        ([""], "word"),
        (["nonsense", ""], "file"),
    ],
)
def test_the_place_of_the_cursor_decides_the_kind(line: list[str], kind: str) -> None:
    assert complete.wanted(complete.read(line)) == kind


def test_flags_before_the_cursor_narrow_what_is_offered() -> None:
    read = complete.read(["terraform", "plan", "app", "--profile=ci", "-i", "admin", "-s", "d"])

    assert read == complete.Line(
        ("terraform", "plan", "app"), {"profile": "ci", "identity": "admin"}, "-s", "d"
    )
