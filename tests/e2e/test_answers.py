"""Answers of Terraform that we write: outputs in formats, plans as documents, two plans compared."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest
import yaml

from tests.conftest import Cli, Result
from tests.e2e import repository

MODULE = """
variable "password" {
  type      = string
  default   = "hush-1"
  sensitive = true
}
resource "terraform_data" "secret" { input = var.password }
output "password" {
  value     = var.password
  sensitive = true
}
output "db" { value = { host = "db.local", ports = [5432, 5433] } }
"""
HOOKS = """
components:
  terraform:
    app:
      hooks:
        seen:
          kind: command
          events: [after.terraform.generate.planfile]
          command: sh
          args: ["-c", "wc -l < dev-app.planfile.json > seen"]
        never:
          kind: command
          events: [before.terraform.plan, after.terraform.plan]
          command: touch
          args: [never]
"""
# Makes the file of its plan, says so, and waits to be stopped.
WAITING = """#!/bin/sh
test "$1" = plan || exit 0
for last in "$@"; do :; done
echo secret > "${last#-out=}"
printf %s "${last#-out=}" > begun
exec sleep 600
"""
OTHER = "components: {terraform: {app: {vars: {name: store}}}}\n"
DEV = repository.STACK.format(stage="dev")


@pytest.fixture
def module(cli: Cli, terraform: str) -> Path:
    """The repository with a secret, not yet applied; returns the module's directory."""
    more = {"components/terraform/app/more.tf": MODULE, "stacks/deploy/dev.yaml": DEV + HOOKS}
    return repository.write(cli.cwd, more)


def output(cli: Cli, *args: str, **env: str | None) -> Result:
    """Run `terraform output` of the component in dev."""
    return cli("terraform", "output", "app", "-s", "dev", *args, env=env)


def test_outputs_in_formats(cli: Cli, module: Path, tmp_path: Path) -> None:
    assert cli("terraform", "deploy", "app", "-s", "dev", "--skip-hooks").exit == 0
    assert cli("terraform", "plan", "app", "-s", "dev", "--skip-hooks").exit == 0

    done = output(cli, "--format", "json")
    assert (done.exit, done.stderr) == (0, "")
    assert json.loads(done.stdout) == {
        "app": "shop-dev",
        "db": {"host": "db.local", "ports": [5432, 5433]},
        "password": "hush-1",
        "workspace": "dev",
    }
    # What only looks leaves the saved plan.
    assert (module / "dev-app.planfile").exists()

    assert output(cli, "-f", "bash", "-u", "--flatten", "db") == (
        0,
        "export DB_HOST='db.local'\nexport DB_PORTS_0='5432'\nexport DB_PORTS_1='5433'\n",
        "",
    )
    assert "hush" not in output(cli, "--format=table").stdout

    file = cli.cwd / "out" / "vars.env"
    assert output(cli, "workspace", "--format=env", "-o", "out/vars.env") == (0, "", "")
    assert output(cli, "app", "--format=env", "-o", str(file)) == (0, "", "")
    assert file.read_text() == "workspace=dev\napp=shop-dev\n"
    assert file.stat().st_mode & 0o777 == 0o600

    whole = cli.cwd / "out.json"
    whole.write_text("old")
    whole.chmod(0o640)
    assert output(cli, "db", "--format=json", "--output-file=out.json") == (0, "", "")
    assert json.loads(whole.read_text())["host"] == "db.local"
    assert whole.stat().st_mode & 0o777 == 0o640

    (cli.cwd / "link").symlink_to("out/vars.env")
    assert output(cli, "app", "--format=dotenv", "-o", "link") == (0, "", "")
    assert file.read_text().endswith("\napp='shop-dev'\n")
    shown = output(cli, "app", "--format=env", "-o", "/proc/self/fd/1")
    assert shown == (0, "app=shop-dev\n", "")

    step = tmp_path / "step"
    step.write_text("before=1\n")
    assert output(cli, "app", GITHUB_OUTPUT=str(step), ATMOS_TERRAFORM_OUTPUT_FORMAT="github") == (
        0,
        "",
        "",
    )
    assert step.read_text() == "before=1\napp=shop-dev\n"

    plain = output(cli, "-raw", "app", ATMOS_TERRAFORM_OUTPUT_FORMAT="json")
    assert plain == (0, "shop-dev", "")
    missing = output(cli, "dbs", "--format=json")
    assert missing == (78, "", 'error: there is no output "dbs"\nhint: did you mean "db"?\n')


def test_a_refusal_of_terraform_is_passed_on_and_nothing_written(cli: Cli, module: Path) -> None:
    (module / "broken.tf").write_text("not terraform")
    done = output(cli, "--format", "json", "-o", "out.json")
    assert (done.exit, done.stdout) == (1, "")
    assert "broken.tf" in done.stderr
    assert not (cli.cwd / "out.json").exists()


def test_a_dry_run_says_what_would_be_written_and_compared(cli: Cli, module: Path) -> None:
    before = sorted(module.iterdir())
    plan = "terraform plan -var-file dev-app.terraform.tfvars.json\n"
    for line, told in (
        ("output app --format csv", "terraform output -json\n# write output as csv\n"),
        (
            "generate planfile app",
            f"{plan}# write planfile as json to dev-app.planfile.json\n# hook seen, after\n",
        ),
        ("plan-diff app --orig old", f"{plan}# compare old with this plan\n"),
    ):
        done = cli("terraform", *line.split(), "-s", "dev", "--dry-run")
        assert (done.exit, done.stderr) == (0, "")
        assert done.stdout.endswith(told)
    assert sorted(module.iterdir()) == before


def test_a_plan_as_a_document(cli: Cli, module: Path) -> None:
    done = cli("terraform", "generate", "planfile", "app", "-s", "dev")
    assert (done.exit, done.stdout) == (0, "")
    assert "3 to add" in done.stderr
    written = module / "dev-app.planfile.json"
    plan = json.loads(written.read_text())
    assert plan["planned_values"]["outputs"]["password"]["value"] == "hush-1"
    assert written.stat().st_mode & 0o777 == 0o600
    assert not (module / "dev-app.planfile").exists()
    # Hooks of this command follow it, and those of `plan` do not.
    assert int((module / "seen").read_text()) == written.read_text().count("\n")
    assert not (module / "never").exists()
    assert list(Path(cli.environment["TMPDIR"]).iterdir()) == []

    named = (
        "generate", "planfile", "app", "-s", "dev", "--format=yaml", "-f", "plans/it.yaml",
        "-detailed-exitcode",
    )  # fmt: skip
    assert cli("terraform", *named).exit == 2
    again = yaml.safe_load((module / "plans/it.yaml").read_text())
    assert again["resource_changes"] == plan["resource_changes"]

    assert cli("terraform", "clean", "app", "-s", "dev", "--force").exit == 0
    assert not written.exists()


def test_a_signal_leaves_no_plan_behind(cli: Cli, environment: dict[str, str]) -> None:
    module = repository.write(cli.cwd)
    os.mkfifo(module / "begun")
    program = Path(environment["PATH"].partition(os.pathsep)[0], "terraform")
    program.write_text(WAITING)
    program.chmod(0o755)
    run = cli.start("terraform", "generate", "planfile", "app", "-s", "dev")
    with run:
        try:
            plan = Path((module / "begun").read_text())
            assert plan.exists()
            run.send_signal(signal.SIGTERM)
            assert run.wait(timeout=60) == 143
        finally:
            run.kill()
    assert not plan.parent.exists()
    assert not (module / "dev-app.planfile.json").exists()


def test_what_two_plans_differ_in(cli: Cli, module: Path) -> None:
    def diff(*args: str) -> Result:
        return cli("terraform", "plan-diff", "app", "-s", "dev", *args)

    assert cli("terraform", "plan", "app", "-s", "dev", "--skip-hooks").exit == 0
    same = diff("--orig", "dev-app.planfile")
    assert (same.exit, same.stdout) == (0, "The planfiles are identical\n")
    assert "3 to add" in same.stderr

    other = ("-var", "name=store", "-var", "password=hush-2")
    found = diff("--orig=dev-app.planfile", *other, "-detailed-exitcode")
    assert (found.exit, found.stdout) == (
        2,
        (
            "Diff Output\n=========\n\n"
            "Variables:\n----------\n"
            '~ name: "shop" => "store"\n'
            "~ password: (sensitive value) => (sensitive value)\n"
            "\nResources:\n----------\n"
            "~ terraform_data.app\n"
            '  ~ input: "shop-dev" => "store-dev"\n'
            "~ terraform_data.secret\n"
            "  ~ input: (sensitive value) => (sensitive value)\n"
            "\nOutputs:\n--------\n"
            "~ password: (sensitive value) => (sensitive value)\n"
        ),
    )
    assert found.stderr.endswith("plan files have differences\n")
    assert "hush" not in found.stdout + found.stderr

    verified = ("terraform", "apply", "app", "-s", "dev", "--from-plan", "--verify-plan")
    (cli.cwd / "stacks/deploy/dev.yaml").write_text(DEV + OTHER)
    refused = cli(*verified)
    assert (refused.exit, "Apply complete!" in refused.stdout) == (2, False)
    assert '~ name: "shop" => "store"' in refused.stdout
    assert (module / "dev-app.planfile").exists()
    (cli.cwd / "stacks/deploy/dev.yaml").write_text(DEV)

    seen = str((module / "dev-app.planfile").relative_to(cli.cwd))
    two = diff("--orig", "dev-app.planfile", "--new", seen)
    assert two == (0, "The planfiles are identical\n", "")
    assert list(Path(cli.environment["TMPDIR"]).iterdir()) == []

    applied = cli(*verified)
    assert (applied.exit, "Apply complete! Resources: 3 added" in applied.stdout) == (0, True)
    nothing = cli("terraform", "apply", "app", "-s", "dev", "--verify-plan")
    assert (nothing.exit, nothing.stdout) == (64, "")

    gone = diff("--orig", "gone")
    assert (gone.exit, gone.stdout) == (64, "")
    assert gone.stderr.startswith("error: there is no plan file ")
