"""How files lie over each other: editions, null, `!unset`, lists of imports, `env` of profiles."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any

import pytest

from wrapper.config import Options
from wrapper.errors import ConfigError


def profile(*names: str) -> Options:
    return Options(profiles=names)


@pytest.mark.parametrize(
    ("pin", "level", "inherit", "shown"),
    [
        ("2024", "Info", False, "full"),
        ("2025-09-22", "Info", False, "full"),
        ("2025-09", "Warning", False, "full"),
        ("2025", "Warning", True, "full"),
        ("2026-07-16", "Warning", True, "full"),
        ("2026-07-17", "Warning", True, "schema"),
        ("2026", "Warning", True, "schema"),
    ],
)
def test_an_edition_gives_the_defaults_of_its_day(
    repo: Any, pin: str, level: str, inherit: bool, shown: str
) -> None:
    data = repo({"atmos.yaml": f"edition: {pin}"}).data
    got = (data["logs"]["level"], data["stacks"]["inherit"]["metadata"])
    assert (*got, data["describe"]["component"]["filter"]) == (level, inherit, shown)
    assert data["edition"] == pin


def test_an_edition_of_a_flag_beats_a_variable_a_profile_and_the_file(repo: Any) -> None:
    files = {"atmos.yaml": "edition: '2026'", "profiles/p/a.yaml": "edition: '2025'"}
    environ = {"ATMOS_EDITION": "2024"}
    flag = Options(profiles=("p",), overrides={"edition": "2023"})
    found = [
        repo(files).data["edition"],
        repo(files, options=profile("p")).data["edition"],
        repo(files, options=profile("p"), environ=environ).data["edition"],
        repo(files, options=flag, environ=environ).data["edition"],
    ]
    assert found == ["2026", "2025", "2024", "2023"]


def test_what_a_file_says_is_no_default(repo: Any) -> None:
    data = repo({"atmos.yaml": "edition: '2024'\nlogs: {level: Error}"}).data
    assert data["logs"] == {"level": "Error", "file": "/dev/stdout"}


@pytest.mark.parametrize("pin", ["soon", "2025-13", "2025-02-29", "2025-00", "2025-4-1", "25"])
def test_an_edition_that_is_no_day_is_told_with_its_place(
    repo: Any, tmp_path: Path, pin: str
) -> None:
    with pytest.raises(ConfigError, match="`edition` must be a year") as caught:
        repo({"atmos.yaml": f"\nedition: '{pin}'"})
    assert [str(at) for at in caught.value.at] == [f"{tmp_path}/atmos.yaml:2:1"]


def test_the_flag_for_an_edition_is_taken(cli: Any, tmp_path: Path) -> None:
    (tmp_path / "atmos.yaml").write_text("edition: '2026'")
    shown = cli("describe", "config", "--edition", "2024", cwd=tmp_path)
    assert '"edition": "2024"' in shown.stdout


def test_null_and_unset_take_away_what_the_same_files_say_and_no_more(repo: Any) -> None:
    files = {
        "home/.atmos/atmos.yaml": "logs: {level: Off}\nsettings: {list_merge_strategy: append}",
        "atmos.yaml": "import: [i.yaml]\nlogs: {level: null}\nsettings: !unset\nvendor: {a: null}",
        "i.yaml": "logs: {level: Error}\nvendor: {a: 1}",
    }
    data = repo(files).data
    assert data["logs"]["level"] == "Off"
    assert data["settings"]["list_merge_strategy"] == "append"
    assert data["vendor"] == {}


def test_null_in_a_profile_brings_the_default_back(repo: Any) -> None:
    files = {
        "atmos.yaml": "logs: {level: Error}\nenv: {A: x, GONE: null}",
        "profiles/p/a.yaml": "logs: {level: null}\nenv: null",
    }
    data = repo(files, options=profile("p")).data
    assert (data["logs"]["level"], data["env"]) == ("Warning", {"A": "x", "GONE": None})


def test_of_several_import_lists_the_last_counts_and_lies_over_all_drop_ins(repo: Any) -> None:
    files = {
        "atmos.yaml": "",
        ".atmos.d/a.yaml": "import: [i.yaml]\nenv: {A: a}",
        ".atmos.d/b.yaml": "env: {A: b}",
        "i.yaml": "env: {A: i}",
    }
    assert repo(files).data["env"] == {"A": "i"}
    listed = {**files, "atmos.yaml": "import: [j.yaml]", "j.yaml": "env: {J: j}"}
    assert repo(listed).data["env"] == {"A": "b", "J": "j"}


def test_imports_start_at_the_base_path_of_the_file_that_lists_them(repo: Any) -> None:
    files = {
        "atmos.yaml": "base_path: ./up\nimport: [in/one.yaml]",
        "up/in/one.yaml": "base_path: ./low\nimport: [two.yaml]\nenv: {A: one}",
        "up/in/low/two.yaml": "env: {A: two}",
        "up/low/two.yaml": "env: {A: not this}",
    }
    assert repo(files).data["env"] == {"A": "two"}


def test_the_git_root_gives_drop_ins_also_where_it_is_no_base_path(
    repo: Any, tmp_path: Path
) -> None:
    files = {".atmos.d/a.yaml": "env: {A: root}", "sub/atmos.yaml": ""}
    off = {"ATMOS_GIT_ROOT_BASEPATH": "false"}
    found = repo(files, cwd="sub", environ=off, git=True)
    assert (found.data["env"], found.base_path) == ({"A": "root"}, str(tmp_path / "sub"))


def test_a_file_of_the_command_line_lies_under_its_imports_and_has_no_drop_ins(repo: Any) -> None:
    files = {
        "c/x.yaml": "base_path: .\nimport: [i.yaml]\nenv: {A: x, X: x}",
        "c/i.yaml": "import: [n.yaml]\nenv: {A: i, N: i}",
        "c/n.yaml": "env: {N: n}",
        "c/.atmos.d/d.yaml": "env: {D: d}",
        "y.yaml": "env: {A: y}",
    }
    one = repo(files, options=Options(config_files=("c/x.yaml",)))
    assert one.data["env"] == {"A": "i", "N": "n", "X": "x"}
    # The list of the first still holds: no later file has another.
    two = repo(files, options=Options(config_files=("c/x.yaml", "y.yaml")))
    assert two.data["env"] == {"A": "i", "N": "n", "X": "x"}


@pytest.mark.parametrize(
    ("files", "env"),
    [
        ({"p/a.yaml": "env: {P: p}"}, {"A": "base", "P": "p"}),
        ({"p/a.yaml": "env: {P: !env HOME, Q: q}"}, {"P": "HOME"}),
        ({"p/a.yaml": "env: !include ../v.env", "v.env": "V=1"}, {"V": "1"}),
        ({"p/a.yaml": "import: [s/b.yaml]\nenv: {P: p}", "p/s/b.yaml": "env: {B: b}"}, {"P": "p"}),
        ({"p/a.yaml": "import: [s/b.yaml]", "p/s/b.yaml": "env: {B: b}"}, {"A": "base", "B": "b"}),
    ],
)
def test_env_that_a_profile_sets_is_all_of_env(
    repo: Any, tmp_path: Path, files: dict[str, str], env: dict[str, str]
) -> None:
    written = {f"profiles/{name}": text for name, text in files.items()}
    found = repo({"atmos.yaml": "env: {A: base}", **written}, options=profile("p"))
    home = str(tmp_path / "home")
    assert found.data["env"] == {k: home if v == "HOME" else v for k, v in env.items()}


def test_profiles_may_be_split_by_blanks_and_the_last_of_one_name_counts(repo: Any) -> None:
    files = {
        "atmos.yaml": "",
        "profiles/p/a.yaml": "env: {A: p}",
        "profiles/q/a.yaml": "env: {A: q}",
    }
    spaced = repo(files, environ={"ATMOS_PROFILE": " p  q,"})
    twice = repo(files, options=profile("p", "q", "p"))
    none = repo(files, options=profile(), environ={"ATMOS_PROFILE": "q"})
    assert [found.profiles for found in (spaced, twice, none)] == [("p", "q"), ("q", "p"), ("q",)]


def test_a_directory_with_atmos_yml_alone_does_not_end_the_search(
    repo: Any, tmp_path: Path
) -> None:
    found = repo({"atmos.yaml": "", "a/atmos.yml": ""}, cwd="a")
    assert found.files == (str(tmp_path / "atmos.yaml"), str(tmp_path / "a/atmos.yml"))


@pytest.mark.parametrize(
    ("files", "environ", "place"),
    [
        ({"atmos.yaml": "logs:\n  level: loud"}, {}, "{0}/atmos.yaml:2:3"),
        ({"atmos.yaml": "logs: {level: info}"}, {"ATMOS_LOGS_LEVEL": "loud"}, "ATMOS_LOGS_LEVEL"),
    ],
)
def test_a_log_level_that_is_none_is_told_with_its_place(
    repo: Any, tmp_path: Path, files: dict[str, str], environ: dict[str, str], place: str
) -> None:
    with pytest.raises(ConfigError, match='invalid log level "loud"') as caught:
        repo(files, environ=environ)
    assert [str(at) for at in caught.value.at] == [place.format(tmp_path)]


@pytest.mark.parametrize(
    "level", ["Trace", "debug", "INFO", "Warning", "warn", "Error", "off", "''"]
)
def test_log_levels_are_known_in_any_case(repo: Any, level: str) -> None:
    shown = repo({"atmos.yaml": f"logs: {{level: {level}}}"}).data["logs"]["level"]
    assert shown == level.strip("'")


PROFILE = {
    "atmos.yaml": "auth: {identities: {Own: {kind: mock}}}",
    "profiles/one/a.yaml": "metadata: {name: One}\nauth: {identities: {Far: {kind: mock}}}",
    "profiles/two/a.yaml": "auth: {identities: {far: {kind: mock}}}",
    "profiles/two/broken.yaml": "a: [",
}


def written(cli: Any, files: dict[str, str]) -> Any:
    for name, text in files.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return cli


def test_an_identity_of_a_profile_is_told_with_the_profile(cli: Any) -> None:
    shown = written(cli, PROFILE)("auth", "whoami", "-i", "far")
    assert shown.stderr.splitlines()[-1] == (
        'hint: it is defined in the profile "one", "two": --profile one'
    )


def test_a_profile_named_as_an_identity_is_told(cli: Any) -> None:
    shown = written(cli, PROFILE)("describe", "config", "--profile", "own")
    assert shown.stderr.splitlines()[-1] == (
        "hint: own is an identity: --identity own, or ATMOS_IDENTITY=own"
    )


def test_profiles_are_listed_with_their_metadata(cli: Any) -> None:
    shown = written(cli, PROFILE)("profile", "list", "--format", "json")
    assert [row["Metadata"] for row in json.loads(shown.stdout)] == [{"name": "One"}, None]


def test_variables_are_text_as_go_writes_it(repo: Any) -> None:
    values = "{A: 1, B: true, C: 1.50, D: [1], E: {x: 1}, F: 0o17, G: 2.0, H: 1e21, I: no, J: null}"
    data = repo({"atmos.yaml": f"env: {values}\ntemplates: {{settings: {{env: {values}}}}}"}).data
    texts = {"A": "1", "B": "true", "C": "1.5", "D": "", "E": "", "F": "15", "G": "2", "I": "no"}
    texts["H"] = "1000000000000000000000"
    # A null takes the variable away from programs.
    assert data["env"] == {**texts, "J": None}
    assert data["templates"]["settings"]["env"] == texts


@pytest.mark.parametrize(
    "files",
    [
        {"atmos.yaml": "\nimport: [1]"},
        {"atmos.yaml": "\nimport: [atmos.yaml]"},
    ],
)
def test_wrong_imports_are_told_with_their_place(
    repo: Any, tmp_path: Path, files: dict[str, str]
) -> None:
    with pytest.raises(ConfigError) as caught:
        repo(files)
    assert [str(at) for at in caught.value.at] == [f"{tmp_path}/atmos.yaml:2:1"]


@pytest.mark.parametrize("passive", [False, True])
def test_the_ref_of_git_is_the_commit(cli: Any, repo: Any, tmp_path: Path, passive: bool) -> None:
    git = ["git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@example.com"]
    for arguments in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "x"]):
        subprocess.run([*git, *arguments], check=True, env=cli.environment)
    found = repo(
        {"atmos.yaml": "env: {R: !git.ref , S: !git.sha }"}, options=Options(passive=passive)
    )
    assert found.data["env"]["R"] == found.data["env"]["S"]
    assert len(found.data["env"]["S"]) == 40
