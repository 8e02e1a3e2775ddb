"""Outputs of another component, by the installed program: real terraform, a state in S3."""

from __future__ import annotations

import json

from tests.conftest import Cli
from tests.fakes import aws, chain

MODULE = """
resource "terraform_data" "app" { input = var.text }
output "text" { value = "${var.text}!" }
output "list" { value = ["a", "b"] }
"""
READER = """\
    reader:
      metadata: {component: app}
      vars:
        state: !terraform.state app text
        item: !terraform.state app prod .list[1]
        output: !terraform.output app text
        account: !aws.account_id
        template: '{{ (atmos.Component "app" .stack).outputs.text }}'
"""
ON = "templates: {settings: {enabled: true}}\n"


def prepared(cli: Cli, make_chain: chain.Make, reader: str = READER) -> chain.Chain:
    """Write the repository with a component that reads the outputs of `app`."""
    made = make_chain(atmos=ON, module=MODULE)
    path = made.repo / "stacks/prod.yaml"
    text = path.read_text()
    own = "      vars:\n        text: hello\n"
    assert own in text
    path.write_text(text.replace(own, own + reader))
    cli.cwd = made.repo
    return made


def test_outputs_are_read_as_the_identity(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str
) -> None:
    made = prepared(cli, make_chain)
    done = cli("terraform", "apply", "app", "-s", "prod", "-auto-approve")
    assert done.exit == 0, done.stderr
    done = cli("describe", "component", "reader", "-s", "prod", "-f", "json", "-q", ".vars")
    assert (done.exit, json.loads(done.stdout or "null")) == (
        0,
        {
            "stage": "prod", "state": "hello!", "item": "b", "output": "hello!",
            "account": chain.LEAF, "template": "hello!",
        },
    ), done.stderr  # fmt: skip
    assert {call.signer for call in fake_aws.calls(service="s3")} == {made.session("deploy")}


def test_outputs_and_plans_as_documents_are_made_as_the_identity(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terraform: str
) -> None:
    made = prepared(cli, make_chain)
    before = ("terraform", "generate", "planfile", "app", "-s", "prod", "-f", "plan.json")
    assert cli(*before).exit == 0
    assert cli("terraform", "apply", "app", "-s", "prod", "-auto-approve").exit == 0
    done = cli("terraform", "output", "app", "-s", "prod", "--format", "env")
    assert done == (0, 'list=["a","b"]\ntext=hello!\n', "")
    assert {call.signer for call in fake_aws.calls(service="s3")} == {made.session("deploy")}
    plan = json.loads(next(made.repo.rglob("plan.json")).read_text())
    assert plan["variables"]["text"] == {"value": "hello"}


def test_without_a_state_describe_tells_and_a_run_refuses(
    cli: Cli, make_chain: chain.Make, terraform: str
) -> None:
    prepared(cli, make_chain, "".join(READER.splitlines(keepends=True)[:4]))
    shown = cli("describe", "component", "reader", "-s", "prod", "-q", ".vars.state")
    assert (shown.exit, shown.stdout) == (0, "(computed)\n")
    run = cli("terraform", "plan", "reader", "-s", "prod")
    assert run.exit == 78
    assert 'error: !terraform.state: the component "app" has no state in "prod" yet' in run.stderr
    assert "at stacks/prod.yaml:" in run.stderr
