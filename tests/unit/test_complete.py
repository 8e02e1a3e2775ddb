"""What stands at the cursor, what is offered there, and that the lists know every command."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper import cli, files
from wrapper.cli import args, terraform_args
from wrapper.complete import commands, flags, lexing, place, stored, terraform

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("line", "kind"),
    [
        (["auth", "env", "--identity", ""], "identity"),
        (["auth", "env", "--identity=b"], "identity"),
        (["auth", "logout", ""], "identity"),
        (["auth", "list", ""], ""),
        (["auth", ""], "words"),
        (["terraform", ""], "words"),
        (["terraform", "plan", ""], "component"),
        (["terraform", "generate", ""], "words"),
        (["terraform", "source", ""], "words"),
        (["terraform", "backend", "create", ""], "component"),
        (["terraform", "workdir", "show", "app", "-s", ""], "stack"),
        (["terraform", "generate", "varfile", ""], "component"),
        (["terraform", "generate", "varfile", "app", "-f", ""], "file"),
        (["terraform", "plan", "app", ""], "file"),
        (["terraform", "generate", "planfile", ""], "component"),
        (["terraform", "output", "app", "-f", ""], terraform.MORE["output"][0][3]),
        (["terraform", "output", "app", "-o", ""], "file"),
        (["terraform", "plan-diff", "app", "--orig="], "file"),
        (["terraform", "plan", "app", "-s", ""], "stack"),
        (["terraform", "plan", "app", "-sx"], "flags"),
        (["terraform", "plan", "app", "-var-file", ""], "file"),
        (["terraform", "plan", "app", "-lock="], "true|false"),
        (["terraform", "plan", "-s", "dev", ""], "component"),
        (["terraform", "plan", "--", ""], "file"),
        (["describe", "component", ""], "component"),
        (["list", "vars", ""], "component"),
        (["list", "stacks", "-cx"], "component"),
        (["describe", "schema", ""], "config|manifest"),
        (["why", ""], "identity"),
        (["profile", "show", ""], "profile"),
        (["--profile", ""], "profile*"),
        (["--config", ""], "file"),
        (["-i", "--"], "flags"),
        (["exec", "--", ""], "command"),
        (["aws", "s3", "l"], "command"),
        (["auth", "exec", "-i", ""], "identity"),
        (["nonsense", ""], "custom"),
        ([""], "commands"),
    ],
)
def test_the_place_of_the_cursor_decides_the_kind(line: list[str], kind: str) -> None:
    assert place.look(line, len(line) - 1).kind == kind


def test_flags_on_both_sides_of_the_cursor_narrow_what_is_offered() -> None:
    line = ["terraform", "plan", "", "--profile=ci", "-s", "dev", "-i", "admin"]

    found = place.look(line, 2)

    assert (found.kind, found.stack, found.path) == ("component", "dev", ["terraform", "plan"])
    assert found.values == {"--profile": ["ci"], "--stack": ["dev"], "--identity": ["admin"]}


def test_a_component_behind_the_cursor_narrows_the_stacks() -> None:
    assert place.look(["terraform", "plan", "-s", "", "app"], 3).component == "app"


def test_another_programs_line_begins_with_the_program() -> None:
    found = place.look(["aws", "-i", "admin", "s3", "l"], 4)

    assert (found.program, found.program_at) == ("aws", 3)


@given(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])))
def test_what_is_inserted_into_bash_is_read_as_the_name(name: str) -> None:
    plain = lexing.in_bash(name, "", first=True)

    assert [word.text for word in lexing.words(plain, "bash")] == [name]
    assert shlex.split(plain, posix=True) == [name]


@given(st.text(st.characters(exclude_characters="\n\0", exclude_categories=["Cs"])))
def test_what_is_inserted_behind_an_open_quote_is_read_as_the_name(name: str) -> None:
    for quote in "'\"":
        text = quote + lexing.in_bash(name, quote, first=True)
        closed = text if text[1:].endswith(quote) else text + quote

        assert lexing.words(closed, "bash")[-1].text == name


def test_quotes_of_a_line_half_typed_are_taken_away() -> None:
    found = lexing.words("a 'b c' d\\ e\"f ", "bash")

    assert [(word.text, word.open) for word in found] == [
        ("a", ""),
        ("b c", ""),
        ('d ef ', '"'),
    ]  # fmt: skip


@pytest.mark.parametrize("shell", ["bash", "fish"])
def test_a_line_that_goes_on_in_the_next_is_one(shell: str) -> None:
    found = lexing.words('terraform \\\n pl\\\nan -s "pr\\\nod" \\\n', shell)

    assert [word.text for word in found] == ["terraform", "plan", "-s", "prod", ""]


def test_the_list_of_commands_is_made_from_the_commands() -> None:
    done = subprocess.run(
        [sys.executable, str(ROOT / ".ci/completion_words.py"), "--check"],
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=60,
    )

    assert (done.stdout, done.stderr) == ("as it should be\n", "")


def test_every_command_is_offered() -> None:
    known = {*cli.COMMANDS, *cli.PROGRAMS, *(name for name in args.TERRAFORM if name != "tf")}

    assert {name for name, _ in place.commands()} == known
    assert set(flags.PROGRAMS) == set(cli.PROGRAMS)


def test_every_flag_of_ours_is_offered() -> None:
    def shape(several: tuple[args.Flag, ...]) -> dict[str, tuple[str, str]]:
        return {
            f"--{one.name}": (f"-{one.short}" if one.short else "", one.takes) for one in several
        }

    def ours(several: tuple[commands.Flag, ...]) -> dict[str, tuple[str, str]]:
        return {one[0]: (one[1], one[2]) for one in several if one[0] != "--help"}

    assert ours(flags.GLOBAL) == shape(args.GLOBAL_FLAGS)
    assert ours(flags.SETTINGS) == shape(args._SETTING_FLAGS)
    assert ours((*terraform.OURS, *flags.GLOBAL)) == shape(terraform_args.FLAGS)
    assert ours(terraform.MORE["clean"]) == shape(terraform_args._CLEAN)
    assert ours(terraform.MORE["generate"]) == shape(terraform_args._GENERATE)
    for name in terraform_args.STORAGE:
        offered, known = ours(terraform.MORE[name]), shape(terraform_args._STORAGE[name])
        assert {**known, "--dry-run": 0} == {**offered, "--dry-run": 0}


def test_every_subcommand_of_terraform_is_offered() -> None:
    assert sorted(terraform.SUBCOMMANDS) == sorted(terraform_args.SUBCOMMANDS)
    assert dict(terraform_args.WORDS) == terraform.WORDS
    own = {word.split()[0] for word in terraform.OWN}
    assert own <= {*terraform_args.SUBCOMMANDS}
    valued = {
        name
        for some in terraform.OWN.values()
        for name, kind, _ in some
        if kind not in ("", flags.TRUTH)
    }
    assert valued <= terraform_args.VALUED


def test_names_are_kept_where_the_cache_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("", "XDG_CACHE_HOME", "ATMOS_XDG_CACHE_HOME"):
        if name:
            monkeypatch.setenv(name, "/somewhere/" + name)
        assert stored.cache_dir() == os.path.join(files.cache_dir(os.environ), "complete")


def test_a_torn_file_is_as_good_as_none(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    whole = stored.pack(("x", [1, 2]))
    for data in (whole[:-1], whole[:3], b"", whole[:8] + b"x" * (len(whole) - 8)):
        path.write_bytes(data)
        path.chmod(0o600)
        assert stored.load(str(path)) is None
    path.write_bytes(whole)
    assert stored.load(str(path)) == ("x", [1, 2])


def test_a_file_that_others_may_write_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    path.write_bytes(stored.pack("x"))
    path.chmod(0o622)

    assert stored.load(str(path)) is None


@pytest.mark.parametrize("number", [3, 3000])
def test_a_change_of_any_file_is_seen(tmp_path: Path, number: int) -> None:
    paths = [tmp_path / f"d{n % 2}" / f"f{n}" for n in range(number)]
    for path in paths:
        path.parent.mkdir(exist_ok=True)
        path.touch()
    asked = [str(path) for path in paths] + [str(tmp_path / "absent")]

    def groups() -> list[tuple[str, list[str], int]]:
        return [
            (where, some, stored.digest(where, some)) for where, some in stored.groups_of(asked)
        ]

    before = groups()

    assert stored.unchanged(before)
    for path in (paths[0], paths[-1]):
        path.write_text("changed")
        assert not stored.unchanged(before)
        before = groups()
    (tmp_path / "absent").touch()
    assert not stored.unchanged(before)
