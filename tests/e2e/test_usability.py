"""What somebody meets who uses the program for the first time."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.fakes import aws


@pytest.fixture
def shop(cli: Cli) -> Cli:
    """The example that needs no cloud."""
    shutil.copytree(aws.CLONE / "docs" / "examples" / "shop", cli.cwd, dirs_exist_ok=True)
    return cli


def test_help_is_also_a_command(shop: Cli) -> None:
    assert shop("help", "auth") == shop("auth", "--help")


def test_help_of_terraform_is_ours(shop: Cli) -> None:
    assert shop("help", "terraform") == shop("terraform", "--help")


def test_a_word_of_terraform_alone_is_advised_to_its_place(shop: Cli) -> None:
    told = 'error: unknown command "plan"\nhint: did you mean `atmos-wrap terraform plan`?\n'
    assert shop("plan", "app", "-s", "dev") == Result(64, "", told)


def test_a_missing_argument_is_named(shop: Cli) -> None:
    told = "error: Missing argument 'component'\nhint: see `atmos-wrap describe component --help`\n"
    assert shop("describe", "component") == Result(64, "", told)


def test_a_stack_without_a_component_is_an_error_of_exec(shop: Cli) -> None:
    told = "error: --stack needs --component\nhint: add -c COMPONENT, or leave -s out\n"
    assert shop("exec", "-s", "prod", "--", "true") == Result(64, "", told)


def test_the_log_level_of_the_command_line_counts(shop: Cli) -> None:
    done = shop("--logs-level", "info", "exec", "-i", "false", "--", "true")
    assert done.stderr == "info: no identity: switched off by --identity\n"


def test_an_option_of_terraform_with_two_dashes_is_advised_to_have_one(shop: Cli) -> None:
    done = shop("terraform", "plan", "app", "-s", "dev", "--target=x")
    assert done.stderr == (
        "error: unknown flag --target for terraform plan\n"
        "hint: write Terraform's own options with one dash (-target), or behind `--`\n"
    )


def test_null_in_env_takes_a_variable_from_any_program(shop: Cli) -> None:
    with Path(shop.cwd, "atmos.yaml").open("a") as stream:
        stream.write("env: {KEPT: yes, GONE: null}\n")
    names = "echo ${KEPT-none} ${GONE-none}"
    done = shop("exec", "-i", "audit", "--", "sh", "-c", names, env={"GONE": "here"})
    assert done == Result(0, "yes none\n", "")


def test_describe_writes_to_a_relative_path(shop: Cli) -> None:
    shop("describe", "component", "app", "-s", "dev", "-q", ".vars.stage", "--file", "out.yaml")
    assert Path(shop.cwd, "out.yaml").read_text() == "dev\n"


def test_looking_at_a_state_does_not_say_as_whom(shop: Cli, terraform: str) -> None:
    shop("terraform", "apply", "app", "-s", "dev", "-auto-approve")
    done = shop("terraform", "state", "list", "app", "-s", "dev")
    assert done == Result(0, "terraform_data.app\n", "")


def test_a_default_is_shown_by_its_relative_place(shop: Cli, terraform: str) -> None:
    done = shop("terraform", "apply", "app", "-s", "dev", "-auto-approve")
    first = done.stderr.splitlines()[0]
    assert first == "identity: dev-deploy (the default, stacks/deploy/dev.yaml:10:7)"


@pytest.mark.parametrize("given", [".", "../app", "components/terraform/app"])
def test_a_component_is_described_by_its_path_too(shop: Cli, given: str) -> None:
    module = Path(shop.cwd, "components", "terraform", "app")
    where = module if given.startswith(".") else shop.cwd
    expected = shop("describe", "component", "app", "-s", "dev")
    assert expected.exit == 0
    assert shop("describe", "component", given, "-s", "dev", cwd=where) == expected
    told = shop("describe", "component", "./stacks", "-s", "dev")
    assert (told.exit, "is not within the component directory" in told.stderr) == (64, True)
