"""atmos.yaml: discovery, imports, drop-ins, base path, variables, places, types."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from wrapper import config
from wrapper.config import Options
from wrapper.errors import ConfigError, Location, WrapError


def relative(paths: Any, base: Path) -> list[str]:
    return [str(Path(path).relative_to(base)) for path in paths]


def test_without_a_file_the_built_in_configuration_holds(repo: Any, tmp_path: Path) -> None:
    found = repo({})
    assert (found.dir, found.base_path, found.files) == ("", str(tmp_path), ())
    assert found.data["stacks"]["included_paths"] == ["orgs/**/*"]


def test_one_file_takes_the_built_in_configuration_away(repo: Any) -> None:
    found = repo({"atmos.yaml": "stacks: {base_path: s}"})
    assert found.data["stacks"] == {"base_path": "s", "inherit": {"metadata": True}}
    assert found.data["logs"]["level"] == "Warning"


def test_home_parent_git_root_and_cwd_are_found_in_that_order(repo: Any, tmp_path: Path) -> None:
    files = {"home/.atmos/atmos.yaml": "", "atmos.yaml": "", "a/atmos.yaml": ""}
    found = repo(files, cwd="a/b", git=True)
    assert relative(found.files, tmp_path) == [
        "home/.atmos/atmos.yaml",
        "a/atmos.yaml",
        "atmos.yaml",
    ]


def test_a_configured_directory_looks_nowhere_above(repo: Any, tmp_path: Path) -> None:
    found = repo({"atmos.yaml": "", "a/.atmos.d/x.yaml": "", "a/atmos.yml": ""}, cwd="a", git=True)
    assert relative(found.files, tmp_path) == ["a/.atmos.d/x.yaml", "a/atmos.yml"]


@pytest.mark.parametrize(
    ("value", "cwd", "git", "expected"),
    [
        (".", "", False, "."),
        (".", "sub", False, "."),
        ("./x", "sub", False, "x"),
        ("x", "sub", False, "x"),
        ("x", "", True, "x"),
        ("", "", True, "."),
        ("sub", "", True, "sub"),
    ],
)
def test_the_base_path_of_a_file(
    repo: Any, tmp_path: Path, value: str, cwd: str, git: bool, expected: str
) -> None:
    found = repo({"atmos.yaml": f"base_path: '{value}'"}, cwd=cwd, git=git)
    assert found.base_path == str((tmp_path / expected).resolve())


def test_a_base_path_of_a_variable_starts_in_cwd(repo: Any, tmp_path: Path) -> None:
    found = repo({"atmos.yaml": "base_path: ."}, cwd="a", environ={"ATMOS_BASE_PATH": "./b"})
    assert found.base_path == str(tmp_path / "a" / "b")


def test_drop_ins_and_imports_lie_under_the_file_and_the_deepest_import_wins(
    repo: Any, tmp_path: Path
) -> None:
    found = repo(
        {
            "atmos.yaml": "import: [one.yaml, 'g/*.yaml']\nenv: {A: main}",
            "atmos.d/a.yaml": "env: {A: d, B: d, C: d}",
            ".atmos.d/a.yaml": "env: {B: hidden, C: hidden}",
            "one.yaml": "import: [two.yaml]\nenv: {C: one, D: one}",
            "two.yaml": "env: {D: two}",
            "g/x.yaml": "env: {E: x}",
        }
    )
    assert found.data["env"] == {"A": "main", "B": "hidden", "C": "one", "D": "two", "E": "x"}
    assert relative(found.files, tmp_path) == [
        "atmos.d/a.yaml",
        ".atmos.d/a.yaml",
        "one.yaml",
        "two.yaml",
        "g/x.yaml",
        "atmos.yaml",
    ]


def test_an_import_that_is_not_there_is_a_warning(repo: Any, tmp_path: Path) -> None:
    found = repo({"atmos.yaml": "import: [nope.yaml]"})
    assert found.warnings == (f"{tmp_path}/atmos.yaml: the import nope.yaml matches no file",)


def test_files_that_import_each_other_are_an_error(repo: Any) -> None:
    files = {
        "atmos.yaml": "import: [a.yaml]",
        "a.yaml": "import: [b.yaml]",
        "b.yaml": "import: [a.yaml]",
    }
    with pytest.raises(ConfigError, match="files import each other"):
        repo(files)


def test_schema_keys_lose_their_case_and_names_keep_it(repo: Any) -> None:
    text = "Stacks: {Base_Path: s}\nenv: {Aa: 1}\nAuth: {Identities: {MyOwn: {Kind: ambient}}}"
    found = repo({"atmos.yaml": text})
    assert found.data["stacks"]["base_path"] == "s"
    assert found.data["env"] == {"Aa": "1"}
    assert found.data["auth"] == {"identities": {"MyOwn": {"kind": "ambient"}}}


def test_flags_beat_variables_and_variables_beat_files(repo: Any) -> None:
    found = repo(
        {"atmos.yaml": "logs: {level: Info, file: f}\nstacks: {base_path: s}"},
        environ={"ATMOS_LOGS_LEVEL": "Error", "ATMOS_STACKS_BASE_PATH": "v"},
        options=Options(overrides={"logs.level": "Off"}),
    )
    assert found.data["logs"] == {"level": "Off", "file": "f"}
    assert found.data["stacks"]["base_path"] == "v"
    assert found.where("logs", "level") is None
    assert found.overridden["stacks.base_path"] == "ATMOS_STACKS_BASE_PATH"


def test_a_setting_has_the_place_of_the_file_that_won(repo: Any, tmp_path: Path) -> None:
    found = repo(
        {"atmos.yaml": "import: [i.yaml]\nlogs:\n  level: Info", "i.yaml": "Logs: {File: f}"}
    )
    assert found.where("logs", "level") == Location(str(tmp_path / "atmos.yaml"), 3, 3)
    assert found.where("logs", "file") == Location(str(tmp_path / "i.yaml"), 1, 8)
    assert found.where("stacks", "base_path") is None


@pytest.mark.parametrize(
    ("text", "message", "line", "column"),
    [
        ("a: 1\nstacks: [1]", "`stacks` must be a map", 2, 1),
        ("stacks: {included_paths: 3}", "`stacks.included_paths` must be a list of texts", 1, 10),
        ("base_path: [x]", "`base_path` must be text", 1, 1),
        ("components: {terraform: {deploy_run_init: 7}}",
         "`components.terraform.deploy_run_init` must be true or false", 1, 26),
        ("auth: {identities: [a]}", "`auth.identities` must be a map", 1, 8),
        ("- a", "the file must hold a map", 1, 1),
        ("a: !nope x", "!nope cannot be used here", 1, 4),
        ("a: !include nope.yaml", "the included file nope.yaml does not exist", 1, 4),
        ("a: !exec exit 3", "!exec ended with exit code 3: exit 3", 1, 4),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_its_place(
    repo: Any, tmp_path: Path, text: str, message: str, line: int, column: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        repo({"atmos.yaml": text})
    assert caught.value.message == message
    assert caught.value.at == (Location(str(tmp_path / "atmos.yaml"), line, column),)


def test_empty_sections_say_nothing(repo: Any) -> None:
    found = repo({"atmos.yaml": "stacks:\nlogs:\ncomponents: {terraform: }"})
    assert found.data["logs"] == {"file": "/dev/stderr", "level": "Warning"}


def test_functions_are_evaluated(repo: Any, tmp_path: Path) -> None:
    text = (
        "env: {A: !env AA, B: !env BB dflt, C: !exec echo hi, D: !cwd , E: !repo-root }\n"
        "x: !include x.json .k\ny: !include.raw x.json\n"
    )
    found = repo({"atmos.yaml": text, "x.json": '{"k": 1}'}, environ={"AA": "a"}, git=True)
    root = str(tmp_path)
    assert found.data["env"] == {"A": "a", "B": "dflt", "C": "hi", "D": root, "E": root}
    assert (found.data["x"], found.data["y"]) == (1, '{"k": 1}')


def test_nothing_is_run_for_a_prompt(repo: Any) -> None:
    passive = Options(passive=True)
    text = "a: !exec touch ran\nauth: {identities: {x: {kind: !exec b}}}\n"
    found = repo({"atmos.yaml": text}, options=passive)
    assert found.data["a"] == "!exec touch ran"
    assert {key: (at.line, at.column) for key, at in found.unrun.items()} == {
        "a": (1, 4), "auth": (2, 31),
    }  # fmt: skip
    for key in ("base_path", "import", "profiles: {base_path", "stacks: {name_pattern",
                "components: {terraform: {base_path"):  # fmt: skip
        text = f"{key}: !exec 'touch ran'" + "}" * key.count("{")
        with pytest.raises(ConfigError, match="!exec is not run here"):
            repo({"atmos.yaml": text}, options=passive)
    assert not Path("ran").exists()


def test_env_may_be_a_dotenv_file(repo: Any) -> None:
    dotenv = "# c\nexport A=1\nB=\"x\\ny\"\nC='s q'\nD=v # c\n"
    found = repo({"atmos.yaml": "env:\n  <<: !include .env\n  E: e", ".env": dotenv})
    assert found.data["env"] == {"A": "1", "B": "x\ny", "C": "s q", "D": "v", "E": "e"}


def test_atmos_variables_of_env_hold_but_not_over_the_real_ones(repo: Any) -> None:
    text = "env: {ATMOS_LOGS_LEVEL: Off, ATMOS_IDENTITY: dev, OTHER: x}"
    found = repo({"atmos.yaml": text}, environ={"ATMOS_IDENTITY": "real"})
    assert found.data["logs"]["level"] == "Off"
    assert found.environ["ATMOS_IDENTITY"] == "real"
    assert "OTHER" not in found.environ


def test_variables_that_hold_credentials_are_known_and_masked(repo: Any) -> None:
    text = (
        "auth: {identities: {u: {kind: aws/user,"
        " credentials: {access_key_id: AKIA, secret_access_key: !env SECRET_KEY}}}}"
    )
    found = repo({"atmos.yaml": text}, environ={"SECRET_KEY": "s3cr3t-value"})
    credentials = found.data["auth"]["identities"]["u"]["credentials"]
    assert credentials["secret_access_key"] == "s3cr3t-value"
    assert found.secrets == {"SECRET_KEY"}
    assert "s3cr3t-value" not in str(config.describe(found))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (Options(config_files=("nope.yaml",)), "--config: there is no file nope.yaml"),
        (Options(config_dirs=("nope",)), "--config-path: there is no directory nope"),
        (Options(config_files=("d",)), "--config: d is a directory"),
        (Options(config_dirs=("d/f.yaml",)), "--config-path: d/f.yaml is a file"),
        (Options(config_dirs=("d",)), "no atmos.yaml in the directories that --config-path names"),
    ],
)
def test_files_that_flags_name_must_be_there(repo: Any, options: Options, message: str) -> None:
    with pytest.raises(WrapError) as caught:
        repo({"d/f.yaml": ""}, options=options)
    assert caught.value.message == message
