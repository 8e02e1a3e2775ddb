"""Several components with the real terraform: order, failures, signals, what is printed."""

from __future__ import annotations

import json
import re
import signal
import time
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli, Result
from tests.e2e import repository
from tests.e2e.ends import ended
from tests.fakes import aws, chain

MODULE = """\
variable "stage" { type = string }
variable "name" { type = string }
variable "journal" { type = string }
variable "fail" {
  type    = bool
  default = false
}
variable "hold" {
  type    = string
  default = "true"
}

resource "terraform_data" "one" {
  input = var.name

  provisioner "local-exec" {
    command = "echo +${var.name} >> ${var.journal}; ${var.hold}; echo -${var.name} >> ${var.journal}; ${var.fail ? "false" : "true"}"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "echo gone ${self.input} >> ../../../journal"
  }
}
"""
CATALOG = """\
vars: {{stage: {stage}, journal: ../../../journal}}
terraform:
  backend_type: local
  backend:
    local: {{workspace_dir: states}}
components:
  terraform:
    app:
      metadata: {{component: one}}
      vars: {{name: app, hold: "{hold}"}}
      dependencies: {{components: [{{name: db}}, {{name: net}}]}}
    db:
      metadata: {{component: two}}
      vars: {{name: db, fail: {fail}, hold: "{hold}"}}
      settings: {{depends_on: {{1: {{component: net}}}}}}
    net:
      metadata: {{component: one}}
      vars: {{name: net}}
    alone:
      metadata: {{component: three}}
      vars: {{name: alone, hold: "{hold}"}}
"""


# A minute at most, until `net` has begun.
MEETS = "i=0; until [ $i = 600 ] || grep -q +net ../../../journal; do i=$((i+1)); sleep 0.1; done"


def write(cli: Cli, *, fail: bool = False, hold: str = "true") -> Path:
    """Write three modules and the stack `dev`; return the journal of what was applied.

    All but `net` run the command `hold` between their beginning and their end.
    """
    stack = CATALOG.format(stage="dev", fail=str(fail).lower(), hold=hold)
    files = {f"components/terraform/{name}/main.tf": MODULE for name in ("one", "two", "three")}
    repository.write(cli.cwd, {"stacks/deploy/dev.yaml": stack, **files})
    return cli.cwd / "journal"


def _times_away(text: str) -> str:
    return re.sub(r" \(\d+\.\d s\)", "", text)


def _told(result: Result) -> list[str]:
    """Return what the program itself said at the end."""
    lines = _times_away(result.stderr).splitlines()
    start = max(i for i, line in enumerate(lines) if re.match(r"\w+: \d+ of \d+ done", line))
    return lines[start:]


def test_components_run_in_the_order_in_which_they_need_each_other(
    cli: Cli, terraform: str
) -> None:
    journal = write(cli)
    done = cli("terraform", "apply", "--all", "-s", "dev", "-auto-approve")
    assert _told(done) == [
        "apply: 4 of 4 done",
        "  alone  dev  done",
        "  net    dev  done",
        "  db     dev  done",
        "  app    dev  done",
    ]
    assert done.exit == 0
    assert journal.read_text().split() == "+alone -alone +net -net +db -db +app -app".split()
    journal.unlink()
    gone = cli("terraform", "destroy", "-s", "dev", "-auto-approve")
    assert (gone.exit, journal.read_text().splitlines()) == (
        0,
        ["gone alone", "gone app", "gone db", "gone net"],
    )


@pytest.mark.parametrize(
    ("mode", "told", "applied"),
    [
        (
            (),
            [
                "apply: 2 of 4 done, 1 failed, 1 not run",
                "  alone  dev  done",
                "  net    dev  done",
                "  db     dev  failed, exit code 1",
                "  app    dev  not run: needs db in dev",
            ],
            "+alone -alone +net -net +db -db",
        ),
        (
            ("--failure-mode", "keep-going", "--max-concurrency", "2"),
            [
                "apply: 2 of 4 done, 1 failed, 1 not run",
                "  alone  dev  done",
                "  net    dev  done",
                "  db     dev  failed, exit code 1",
                "  app    dev  not run: needs db in dev",
            ],
            "+alone -alone +net -net +db -db",
        ),
    ],
)
def test_a_failure_stops_what_needs_it(
    cli: Cli, terraform: str, mode: tuple[str, ...], told: list[str], applied: str
) -> None:
    journal = write(cli, fail=True)
    done = cli("terraform", "apply", "--all", "-s", "dev", "-auto-approve", *mode)
    assert (done.exit, _told(done)) == (1, told)
    assert sorted(journal.read_text().split()) == sorted(applied.split())


def test_plans_tell_of_changes_by_their_exit_code(cli: Cli, terraform: str) -> None:
    write(cli)
    plan = ("terraform", "plan", "--components", "net,db", "-s", "dev", "-detailed-exitcode")
    new = cli(*plan)
    assert (new.exit, _told(new)[1:]) == (2, ["  net  dev  changes", "  db   dev  changes"])
    cli("terraform", "deploy", "net", "-s", "dev")
    assert cli(*plan).exit == 2
    cli("terraform", "deploy", "db", "-s", "dev")
    assert cli(*plan).exit == 0


def test_several_at_once_share_no_directory_and_lines_carry_names(cli: Cli, terraform: str) -> None:
    journal = write(cli, hold=MEETS)
    asked = ("terraform", "apply", "--all", "-s", "dev", "-auto-approve", "-no-color")
    done = cli(*asked, "--max-concurrency", "3")
    assert done.exit == 0
    said = journal.read_text().split()
    # `alone` holds on until `net` has come; `app` waits for `db`, and shares a directory with `net`.
    assert said.index("+net") < said.index("-alone")
    assert said.index("-db") < said.index("+app")
    assert "[db in dev] Apply complete! Resources: 1 added" in done.stdout
    assert [line for line in done.stdout.splitlines() if not line.startswith("[")] == []


def test_grouped_output_is_in_one_piece(cli: Cli, terraform: str) -> None:
    write(cli, hold=MEETS)
    asked = ("terraform", "apply", "--components", "alone,net", "-s", "dev", "-no-color")
    done = cli(*asked, "-auto-approve", "--max-concurrency", "2", "--log-order", "grouped")
    assert done.exit == 0
    marks = re.findall(r'input +\+? ?= "(\w+)"|(Apply complete)', done.stdout)
    order = [name or "end" for name, _ in marks]
    assert order in (["alone", "end", "net", "end"], ["net", "end", "alone", "end"])


@pytest.mark.parametrize("at_once", ["1", "3"])
def test_a_signal_lets_terraform_stop_and_starts_no_more(
    cli: Cli, terraform: str, at_once: str
) -> None:
    journal = write(cli, hold="sleep 30")
    asked = ("terraform", "apply", "--all", "-s", "dev", "-auto-approve", "-no-color")
    running = cli.start(*asked, "--max-concurrency", at_once)
    end = time.monotonic() + 60
    while not journal.exists() or "+alone" not in journal.read_text():
        assert time.monotonic() < end, "it did not begin"
        time.sleep(0.05)
    running.send_signal(signal.SIGTERM)
    stdout, stderr = running.communicate(timeout=60)
    assert running.returncode == 128 + signal.SIGTERM
    assert "Interrupt received." in stdout
    assert "Two interrupts received" not in stdout + stderr
    assert list(cli.cwd.rglob(".*.lock.info")) == []
    assert "not run: stopped before" in stderr or "not run: needs" in stderr
    assert "+app" not in journal.read_text()


@pytest.mark.parametrize("at_once", ["1", "3"])
def test_ctrl_c_at_the_terminal_ends_all_of_them_once(
    cli: Cli, terraform: str, at_once: str
) -> None:
    journal = write(cli, hold="sleep 30")
    asked = ["terraform", "apply", "--all", "-auto-approve", "--max-concurrency", at_once]
    run = pexpect.spawn(
        cli.program,
        asked,
        cwd=str(cli.cwd),
        env=cli.child_environment(None),
        timeout=60,
        encoding="utf-8",
    )
    end = time.monotonic() + 60
    while not journal.exists() or "+alone" not in journal.read_text():
        assert time.monotonic() < end, "it did not begin"
        time.sleep(0.05)
    run.sendintr()
    ended(run)
    assert run.exitstatus == 130
    assert "Interrupt received." in run.before
    assert "Two interrupts received" not in run.before
    assert list(cli.cwd.rglob(".*.lock.info")) == []
    assert "+app" not in journal.read_text()


def test_a_component_that_cannot_run_stops_all_before_the_first(cli: Cli, terraform: str) -> None:
    journal = write(cli)
    path = cli.cwd / "stacks/deploy/dev.yaml"
    path.write_text(path.read_text().replace("component: two}", "component: two, locked: true}"))
    done = cli("terraform", "apply", "--all", "-s", "dev", "-auto-approve")
    assert (done.exit, journal.exists()) == (78, False)
    assert done.stderr.startswith('error: the component "db" is locked: apply is not allowed\n')
    going = ("--failure-mode", "keep-going")
    done = cli("terraform", "apply", "--all", "-s", "dev", "-auto-approve", *going)
    assert (done.exit, _told(done)[-2:]) == (
        78,
        ["  db     dev  failed, exit code 78", "  app    dev  not run: needs db in dev"],
    )
    assert journal.read_text().split() == "+alone -alone +net -net".split()


def test_what_another_wrote_just_now_is_read(cli: Cli, terraform: str) -> None:
    write(cli)
    files = cli.cwd / "components/terraform/one/outputs.tf"
    files.write_text('output "id" { value = terraform_data.one.output }\n')
    path = cli.cwd / "stacks/deploy/dev.yaml"
    name = "name: !terraform.state net dev id"
    path.write_text(path.read_text().replace("{name: db, fail", "{" + name + ", fail"))
    assert cli("terraform", "apply", "-s", "dev", "-auto-approve").exit == 0
    state = json.loads(next(cli.cwd.rglob("states/dev-db/terraform.tfstate")).read_text())
    assert state["resources"][0]["instances"][0]["attributes"]["input"]["value"] == "net"


def test_many_at_once_need_an_approval_given_before(cli: Cli, terraform: str) -> None:
    journal = write(cli)
    done = cli("terraform", "apply", "--all", "--max-concurrency", "2")
    assert (done.exit, journal.exists()) == (64, False)
    assert done.stderr.splitlines()[0] == (
        "error: --max-concurrency 2 leaves nobody to approve: apply needs -auto-approve"
    )


def test_nothing_chosen_is_no_error(cli: Cli, terraform: str) -> None:
    write(cli)
    done = cli("terraform", "plan", "--tags", "none")
    assert done == Result(0, "", "✓ No components matched\n")


def test_a_dry_run_lists_them_in_order(cli: Cli, terraform: str) -> None:
    write(cli)
    done = cli("terraform", "plan", "--components", "db", "--include-dependencies", "--dry-run")
    shown = "Would plan `net` in `dev` (dry run)\nWould plan `db` in `dev` (dry run)\n"
    assert done == Result(0, shown, "")


AS_TWO = """\
vars: {stage: prod, text: hello}
terraform:
  backend_type: local
  backend:
    local: {workspace_dir: states}
components:
  terraform:
    first: {metadata: {component: app}}
    second: {metadata: {component: app}}
    third:
      metadata: {component: app}
      auth: {identities: {hub: {default: true}}}
"""


def _assumed(fake: aws.Fake) -> list[str]:
    return sorted(call.params["RoleArn"] for call in fake.calls("AssumeRole"))


def test_each_identity_is_signed_in_once_for_all(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str
) -> None:
    made = make_chain(remote=False)
    (made.repo / "stacks/prod.yaml").write_text(AS_TWO)
    done = cli("terraform", "apply", "--all", "-auto-approve", "--max-concurrency", "2")
    assert done.exit == 0
    assert _told(done)[0] == "apply: 3 of 3 done"
    assert re.findall(r"^identity: (\w+) ", done.stderr, flags=re.M) == ["deploy", "deploy", "hub"]
    assert _assumed(fake_aws) == sorted(made.roles.values())


def test_a_refused_identity_stops_all_before_the_first(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str
) -> None:
    made = make_chain(remote=False)
    (made.repo / "stacks/prod.yaml").write_text(AS_TWO)
    fake_aws.drop_policy(made.roles["hub"], "assume")
    asked = ("terraform", "apply", "--all", "-auto-approve", "-no-color")
    done = cli(*asked)
    assert (done.exit, done.stdout) == (77, "")
    assert 'error: identity "deploy": STS refused to assume' in done.stderr
    going = cli(*asked, "--failure-mode", "keep-going")
    assert (going.exit, going.stdout.count("Apply complete!")) == (77, 1)
    assert _told(going) == [
        "apply: 1 of 3 done, 2 failed",
        "  first   prod  failed, exit code 77",
        "  second  prod  failed, exit code 77",
        "  third   prod  done",
    ]
