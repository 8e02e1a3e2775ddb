"""Hooks that write outputs into a store, as the component's identity, IAM enforced."""

from __future__ import annotations

import json
from collections.abc import Mapping

from tests.conftest import Cli
from tests.fakes import aws, chain

STORES = "stores:\n  params: {type: aws-ssm-parameter-store, options: {region: us-east-1, prefix: /shop}}\n"
MODULE = """\
output "text" { value = "is ${var.text}" }
output "net" { value = { ids = ["a", "b"] } }
"""
HOOKS = """\
      hooks:
        store-outputs:
          events: [after-terraform-apply]
          command: store
          name: params
          outputs: {text: .text, first: ".net.ids[0]", all: .net, fixed: as it is}
"""


def prepared(cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, hooks: str) -> chain.Chain:
    made = make_chain(atmos=STORES, module=MODULE)
    fake_aws.allow(
        made.roles["deploy"], ["ssm:PutParameter", "ssm:GetParametersByPath"], name="ssm"
    )
    path = made.repo / "stacks/prod.yaml"
    text = path.read_text()
    assert "      vars:\n        text: hello\n" in text
    path.write_text(
        text.replace("      vars:\n        text:", f"{hooks}      vars:\n        text:")
    )
    cli.cwd = made.repo
    return made


def parameters(fake: aws.Fake, made: chain.Chain) -> Mapping[str, object]:
    """Return what the store holds, as its owner sees it."""
    key, secret, token = fake.session(made.session("deploy"), 900)
    client = fake.client(
        "ssm", {"AccessKeyId": key, "SecretAccessKey": secret, "SessionToken": token}
    )
    found = client.get_parameters_by_path(Path="/shop", Recursive=True)["Parameters"]
    return {one["Name"]: json.loads(one["Value"]) for one in found}


def test_outputs_are_kept_in_the_store_as_the_identity_of_the_component(
    cli: Cli, terraform: str, make_chain: chain.Make, fake_aws: aws.Fake
) -> None:
    made = prepared(cli, make_chain, fake_aws, HOOKS)

    done = cli("terraform", "deploy", "app", "-s", "prod")

    assert done.exit == 0, done.stderr
    assert parameters(fake_aws, made) == {
        "/shop/prod/app/text": "is hello",
        "/shop/prod/app/first": "a",
        "/shop/prod/app/all": {"ids": ["a", "b"]},
        "/shop/prod/app/fixed": "as it is",
    }


def test_a_store_that_refuses_ends_the_run_with_a_failure(
    cli: Cli, terraform: str, make_chain: chain.Make, fake_aws: aws.Fake
) -> None:
    made = prepared(cli, make_chain, fake_aws, HOOKS.replace("{text: .text", "{text: .none"))
    missing = cli("terraform", "deploy", "app", "-s", "prod")
    assert (missing.exit, "the component has no output none" in missing.stderr) == (78, True)
    assert parameters(fake_aws, made) == {}
    fake_aws.drop_policy(made.roles["deploy"], "ssm")
    path = made.repo / "stacks/prod.yaml"
    path.write_text(path.read_text().replace(".none", ".text"))
    refused = cli("terraform", "deploy", "app", "-s", "prod")
    assert (refused.exit, "AccessDenied" in refused.stderr) == (78, True), refused.stderr
    assert "error: hook store-outputs: " in refused.stderr
