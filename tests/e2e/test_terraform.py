"""Terraform's sub-commands by the installed program and the real terraform."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e import repository
from tests.e2e.ends import ended


@pytest.fixture
def module(cli: Cli, terraform: str) -> Path:
    """The repository, not yet applied; returns the module's directory."""
    return repository.write(cli.cwd)


@pytest.fixture
def applied(cli: Cli, module: Path) -> Path:
    """The repository with the stack dev applied."""
    assert cli("terraform", "deploy", "app", "-s", "dev").exit == 0
    return module


def test_the_exit_code_of_plan_says_what_terraform_says(cli: Cli, module: Path) -> None:
    plan = ("terraform", "plan", "app", "-s", "dev", "-detailed-exitcode")
    assert cli(*plan).exit == 2
    assert cli("terraform", "apply", "app", "-s", "dev", "-auto-approve").exit == 0
    assert cli(*plan).exit == 0
    (module / "main.tf").write_text(repository.MODULE + 'output "no" { value = nothing.at.all }\n')
    assert cli(*plan).exit == 1


def test_the_saved_plan_is_applied_and_used_up(cli: Cli, module: Path) -> None:
    assert cli("terraform", "plan", "app", "-s", "dev").exit == 0
    assert (module / "dev-app.planfile").exists()
    done = cli("terraform", "apply", "app", "-s", "dev", "--from-plan")
    assert (done.exit, done.stderr) == (0, "")
    assert "Apply complete! Resources: 2 added" in done.stdout
    assert not (module / "dev-app.planfile").exists()


def test_output_holds_nothing_but_the_value(cli: Cli, applied: Path) -> None:
    done = cli("terraform", "output", "app", "-s", "dev", "-raw", "app")
    assert done == (0, "shop-dev", "")


def test_output_of_a_fresh_checkout_holds_nothing_but_the_value(cli: Cli, applied: Path) -> None:
    shutil.rmtree(applied / ".terraform")
    done = cli("terraform", "output", "app", "-s", "dev", "-json")
    assert json.loads(done.stdout)["app"]["value"] == "shop-dev"
    assert "Terraform has been successfully initialized!" in done.stderr


def test_the_state_is_listed_shown_and_changed(cli: Cli, applied: Path) -> None:
    listed = cli("terraform", "state", "list", "app", "-s", "dev")
    assert listed == (0, "terraform_data.app\nterraform_data.known\n", "")
    assert '"shop-dev"' in cli("terraform", "show", "app", "-s", "dev").stdout
    moved = cli(
        "terraform", "state", "rm", "app", "-s", "dev", "-backup=old", "terraform_data.known"
    )
    assert moved.exit == 0
    left = cli("terraform", "state", "list", "app", "-s", "dev")
    assert left == (0, "terraform_data.app\n", "")


def test_an_object_is_imported(cli: Cli, applied: Path) -> None:
    cli("terraform", "state", "rm", "app", "-s", "dev", "-backup=old", "terraform_data.known")
    done = cli(
        "terraform", "import", "app", "-s", "dev", "-backup=old", "terraform_data.known", "some-id"
    )
    assert (done.exit, "Import successful!" in done.stdout) == (0, True)


def test_the_console_answers(cli: Cli, applied: Path) -> None:
    done = cli("terraform", "console", "app", "-s", "dev", stdin="terraform.workspace\n")
    assert (done.exit, done.stdout) == (0, '"dev"\n')


def test_validate_and_graph_pass_through(cli: Cli, applied: Path) -> None:
    assert cli("terraform", "validate", "app", "-s", "dev", "-json").stdout.count('"valid": true')
    assert cli("terraform", "graph", "app", "-s", "dev").stdout.startswith("digraph")


def test_on_a_new_machine_terraform_misses_nothing(cli: Cli, module: Path) -> None:
    cache = Path(cli.environment["HOME"], ".cache/atmos/terraform/plugins")
    for made in (False, True):
        assert cache.exists() == made
        done = cli("terraform", "version")
        assert (done.exit, done.stderr) == (0, ""), made
        host = cli("terraform", "logout", "app.example.com")
        assert (host.exit, host.stderr) == (0, ""), made
        cli("terraform", "init", "app", "-s", "dev")


def test_a_host_is_left_as_terraform_leaves_it(cli: Cli, module: Path) -> None:
    told = "No credentials for app.example.com are stored."
    for stack in (None, "dev"):
        left = cli("terraform", "logout", "app.example.com", env={"ATMOS_STACK": stack})
        assert (left.exit, left.stdout.strip()) == (0, told)
    asked = cli("terraform", "logout", "app.example.com", "-s", "dev")
    assert (asked.exit, "app.example.com" in asked.stderr) == (78, True)


def test_each_stack_has_its_workspace(cli: Cli, applied: Path) -> None:
    for stack in ("dev", "prod"):
        assert cli("terraform", "workspace", "app", "-s", stack).exit == 0
        assert cli("terraform", "workspace", "show", "app", "-s", stack).stdout == f"{stack}\n"
    listed = cli("terraform", "workspace", "list", "app", "-s", "dev").stdout
    assert listed.split() == ["default", "dev", "*", "prod"]


def test_destroy_asks_and_takes_no_for_an_answer(cli: Cli, applied: Path) -> None:
    done = cli("terraform", "destroy", "app", "-s", "dev", stdin="no\n")
    assert (done.exit, "Destroy cancelled" in done.stdout + done.stderr) == (1, True)
    assert cli("terraform", "destroy", "app", "-s", "dev", "-auto-approve").exit == 0
    assert cli("terraform", "state", "list", "app", "-s", "dev") == (0, "", "")


def test_approval_at_the_terminal(cli: Cli, module: Path) -> None:
    run = pexpect.spawn(
        cli.program,
        ["terraform", "apply", "app", "-s", "dev"],
        cwd=str(cli.cwd),
        env=cli.child_environment(None),
        timeout=60,
        encoding="utf-8",
    )
    run.expect("Enter a value:")
    run.sendline("yes")
    run.expect("Apply complete! Resources: 2 added")
    ended(run)
    assert (run.exitstatus, run.signalstatus) == (0, None)


def test_the_shell_is_ready_for_terraform(cli: Cli, applied: Path) -> None:
    script = "terraform plan -detailed-exitcode >/dev/null; echo $? $ATMOS_STACK $PWD\n"
    done = cli("terraform", "shell", "app", "-s", "dev", stdin=script, env={"SHELL": "/bin/sh"})
    assert (done.exit, done.stdout) == (0, f"0 dev {applied}\n")


def test_an_init_that_fails_ends_the_run_with_its_code(cli: Cli, module: Path) -> None:
    (module / "main.tf").write_text('terraform { required_version = ">= 99" }\n')
    done = cli("terraform", "plan", "app", "-s", "dev")
    assert (done.exit, "Unsupported Terraform Core version" in done.stderr) == (1, True)
    assert not (module / ".terraform" / "atmos-wrap.json").exists()


def test_init_runs_once_and_when_asked_for(cli: Cli, applied: Path) -> None:
    second = cli("terraform", "plan", "app", "-s", "dev")
    assert (second.exit, second.stderr) == (0, "")
    forced = cli("terraform", "plan", "app", "-s", "dev", "--init")
    assert "Terraform has been successfully initialized!" in forced.stderr


def test_a_fault_in_the_auth_section_leaves_no_varfile(cli: Cli, module: Path) -> None:
    both = "a: {kind: aws/assume-role, default: true, via: {identity: b, provider: p}}"
    (cli.cwd / "atmos.yaml").write_text(f"{repository.ATMOS}auth: {{identities: {{{both}}}}}\n")
    assert cli("terraform", "plan", "app", "-s", "dev").exit == 78
    assert list(module.glob("*.tfvars.json")) == []
