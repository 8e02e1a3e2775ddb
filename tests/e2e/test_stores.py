"""`!store`, `!store.get`, `!secret`, by the installed program: SSM and Secrets Manager with IAM
enforced, Key Vault and Secret Manager that check who asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.fakes import aws, azure, chain, google, proxy
from wrapper.errors import StackError
from wrapper.stacks import store

STORES = """\
stores:
  params: {type: aws-ssm-parameter-store, options: {region: us-east-1, prefix: /shop}}
  Vault/prod:
    kind: aws/asm
    identity: hub
    options: {region: us-east-1, prefix: shop, stack_delimiter: "/"}
  hidden: {kind: aws/ssm, secret: true, options: {region: us-east-1, prefix: /hidden}}
  cache: {type: redis, options: {url: "redis://127.0.0.1"}}
"""
MODULE = """\
variable "subnet" { type = any }
variable "password" { type = string }
output "password" { value = "is ${var.password}" }
output "subnet" { value = var.subnet }
"""
Put = Callable[..., None]


@pytest.fixture
def shop(cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake) -> chain.Chain:
    """The chain's repository with stores; `deploy` may read parameters, `hub` secrets."""
    made = make_chain(atmos=STORES, remote=False, module=MODULE)
    fake_aws.allow(made.roles["deploy"], ["ssm:GetParameter", "ssm:PutParameter"], name="ssm")
    fake_aws.allow(
        made.roles["hub"],
        ["secretsmanager:GetSecretValue", "secretsmanager:PutSecretValue",
         "secretsmanager:CreateSecret"],
        name="secrets",
    )  # fmt: skip
    return made


def put(
    fake: aws.Fake,
    made: chain.Chain,
    identity: str,
    kept: store.Store,
    slot: store.Slot,
    value: object,
) -> None:
    """Keep a value as the role of an identity does."""
    key, secret, token = fake.session(made.session(identity), 900)
    environ = {
        "PATH": "/usr/bin:/bin", "AWS_ACCESS_KEY_ID": key, "AWS_SECRET_ACCESS_KEY": secret,
        "AWS_SESSION_TOKEN": token, "AWS_REGION": aws.REGION, **fake.environment(),
    }  # fmt: skip
    store.put(kept, slot, value, lambda _identity: environ)


def kept(kind: str, *, secret: bool = False, **options: object) -> store.Store:
    return store.Store("it", kind, "", secret, {"region": aws.REGION, **options}, None)


def variables(cli: Cli, made: chain.Chain, text: str, secrets: str = "") -> None:
    """Give the component variables."""
    path = made.repo / "stacks/prod.yaml"
    own = "      vars:\n        text: hello\n"
    assert own in path.read_text()
    lines = "".join(f"        {line}\n" for line in text.splitlines())
    path.write_text(path.read_text().replace(own, f"{secrets}{own}{lines}"))
    cli.cwd = made.repo


def shown(cli: Cli) -> Mapping[str, object]:
    done = cli("describe", "component", "app", "-s", "prod", "-f", "json", "-q", ".vars")
    assert done.exit == 0, done.stderr
    found: Mapping[str, object] = json.loads(done.stdout)
    return found


def test_values_of_parameters_and_secrets_each_as_the_identity_that_is_meant(
    cli: Cli, shop: chain.Chain, fake_aws: aws.Fake
) -> None:
    params, vault = kept("aws/ssm", prefix="/shop"), kept("aws/asm", prefix="shop")
    subnets = {"ids": ["a", "b"], "n": 3, "note": "<&>"}
    put(fake_aws, shop, "deploy", params, store.Slot("prod", "net/vpc", "subnets"), subnets)
    put(fake_aws, shop, "deploy", params, store.Slot("dev-eu", "app", "url"), "http://x")
    put(fake_aws, shop, "hub", vault, store.Slot("prod", "db", "dsn"), {"host": "i"})
    variables(
        cli,
        shop,
        """\
all: !store params net/vpc subnets
one: !store params net/vpc subnets | query .ids[1]
again: !store params net/vpc subnets
raw: !store.get params dev/eu/app/url
none: !store params net/vpc nothing | default "not yet"
host: !store vault/prod db dsn | query .host
""",
    )
    assert shown(cli) == {
        "stage": "prod", "text": "hello", "all": subnets, "one": "b", "again": subnets,
        "raw": "http://x", "none": "not yet", "host": "i",
    }  # fmt: skip
    deploy, hub = shop.session("deploy"), shop.session("hub")
    calls = [call.signer for call in fake_aws.calls() if call.action == "GetParameter"]
    assert calls == [deploy] * 3  # `all`, `one` and `again` are one question
    calls = [call.signer for call in fake_aws.calls() if call.action == "GetSecretValue"]
    assert calls == [hub]


def test_templates_ask_stores_and_functions_as_the_same_identities(
    cli: Cli, shop: chain.Chain, fake_aws: aws.Fake
) -> None:
    params, vault = kept("aws/ssm", prefix="/shop"), kept("aws/asm", prefix="shop")
    put(
        fake_aws,
        shop,
        "deploy",
        params,
        store.Slot("prod", "net/vpc", "subnets"),
        {"ids": ["a", "b"]},
    )
    put(fake_aws, shop, "hub", vault, store.Slot("prod", "db", "dsn"), {"host": "i"})
    with (shop.repo / "atmos.yaml").open("a", encoding="utf-8") as stream:
        stream.write("templates: {settings: {enabled: true, sprig: {enabled: true}}}\n")
    variables(
        cli,
        shop,
        """\
one: '{{ index (atmos.Store "params" .vars.stage "net/vpc" "subnets").ids 1 }}'
host: '{{ (atmos.Store "vault/prod" "prod" "db" "dsn").host }}'
same: '{{ atmos.Resolve "!store params net/vpc subnets | query .ids[0]" }}-{{ .vars.stage }}'
who: '{{ atmos.Resolve .settings.who }}'
own: '{{ atmos.Resolve "!env OWN" }}/{{ atmos.Resolve "plain" }}'
kept: !env OWN
""",
        "      settings: {who: '!aws.account_id'}\n      env: {OWN: mine, MADE: '{{ .vars.stage }}'}\n",
    )
    account = shop.roles["deploy"].split(":")[4]
    assert shown(cli) == {
        "stage": "prod", "text": "hello", "one": "b", "host": "i", "same": "a-prod",
        "who": account, "own": "mine/plain", "kept": "mine",
    }  # fmt: skip
    path = shop.repo / "stacks/prod.yaml"
    path.write_text(path.read_text().replace('"dsn"', '"none"'), encoding="utf-8")
    done = cli("describe", "component", "app", "-s", "prod")
    assert done.exit == 78
    assert 'error: atmos.Store: the store "vault/prod" has no "shop/prod/db/none"' in done.stderr
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if '"none"' in text)
    assert f"at stacks/prod.yaml:{line}:9" in done.stderr


def test_a_default_does_not_stand_in_for_a_store_that_refuses(
    cli: Cli, shop: chain.Chain, fake_aws: aws.Fake
) -> None:
    fake_aws.drop_policy(shop.roles["deploy"], "ssm")
    variables(cli, shop, "x: !store params net/vpc subnets | default none\n")
    done = cli("describe", "component", "app", "-s", "prod")
    assert done.exit == 78
    assert "error: !store params net/vpc subnets: " in done.stderr
    assert "AccessDenied" in done.stderr
    assert "at stacks/prod.yaml:" in done.stderr


WRONG = {
    "!store params a": "!store takes a store, a stack if it is another one, a component",
    "!store params a b | first": "!store takes `| default`, `| query`, not `| first`",
    "!store parms a b": 'the store "parms" is not in atmos.yaml',
    "!store cache a b": 'the store "cache" is of the kind redis, which is not supported',
    "!store hidden a b": '!store: the store "hidden" keeps secrets',
    "!store params a b": '!store: the store "params" has no "/shop/prod/a/b"',
    "!secret TOKEN": '!secret: "TOKEN" is not declared under `secrets.vars` of "wrong6"',
}


def test_what_is_wrong_is_told_with_its_place(cli: Cli, shop: chain.Chain) -> None:
    path = shop.repo / "stacks/prod.yaml"
    lines = [f"    wrong{number}: {{vars: {{x: {call!r}}}}}\n" for number, call in enumerate(WRONG)]
    path.write_text(path.read_text() + "".join(lines))
    first = len(path.read_text().splitlines()) - len(lines) + 1
    cli.cwd = shop.repo
    for number, said in enumerate(WRONG.values()):
        done = cli("describe", "component", f"wrong{number}", "-s", "prod")
        assert done.exit == 78
        assert said in done.stderr
        assert f"stacks/prod.yaml:{first + number}:" in done.stderr


def test_a_secret_is_masked_where_it_is_shown_and_never_in_the_varfile(
    cli: Cli, shop: chain.Chain, fake_aws: aws.Fake, terraform: str
) -> None:
    hidden = kept("aws/ssm", secret=True, prefix="/hidden")
    put(fake_aws, shop, "deploy", hidden, store.Slot("prod", "app", "OWN"), "000123")
    put(
        fake_aws, shop, "deploy", hidden, store.Slot("prod", "", "SHARED"), {"user": {"name": "u1"}}
    )
    put(fake_aws, shop, "deploy", hidden, store.Slot("", "", "ALL"), "everywhere")
    path = shop.repo / "stacks/prod.yaml"
    shared = "SHARED: {store: hidden}\n    ALL: {store: hidden, scope: global}"
    path.write_text(f"secrets:\n  vars:\n    {shared}\n{path.read_text()}")
    variables(
        cli,
        shop,
        'password: !secret OWN\nsubnet: [!secret SHARED | path ".user.name", !secret ALL]\n'
        'text: !secret NOT | default "dev"\n',
        secrets="      secrets: {vars: {OWN: {store: hidden}, NOT: {store: hidden}}}\n",
    )
    text = path.read_text().replace("        text: hello\n", "")
    path.write_text(text)
    assert shown(cli) == {
        "stage": "prod", "password": "<MASKED>", "subnet": ["<MASKED>", "<MASKED>"],
        "text": "<MASKED>",
    }  # fmt: skip
    assert not [call for call in fake_aws.calls() if call.action == "GetParameter"]
    local = {"ATMOS_COMPONENTS_TERRAFORM_AUTO_GENERATE_BACKEND_FILE": "false"}
    done = cli("terraform", "plan", "app", "-s", "prod", "-no-color", env=local)
    assert done.exit == 0, done.stderr
    assert '+ password = "is 000123"' in done.stdout
    assert '+ "u1",\n      + "everywhere",' in done.stdout, done.stdout
    (varfile,) = (shop.repo / "components/app").glob("*.tfvars.json")
    assert json.loads(varfile.read_text()) == {"stage": "prod", "text": "dev"}


# ---- other clouds -------------------------------------------------------------------------------


def test_secret_manager_creates_and_reads_under_the_token(cli: Cli, tmp_path: Path) -> None:
    with google.running() as cloud:
        it = store.Store(
            "gsm", "gcp/secretmanager", "", False,
            {"project_id": "shop", "prefix": "p", "endpoint": f"{cloud.url}/v1"}, None,
        )  # fmt: skip
        environ = {"PATH": "/usr/bin:/bin", "GOOGLE_OAUTH_ACCESS_TOKEN": cloud.token("ci")}
        slot = store.Slot("prod-eu", "net/vpc", "ids")
        with pytest.raises(store.Missing):
            store.get(it, slot, lambda _: environ)
        for value in (["a"], ["b"]):
            store.put(it, slot, value, lambda _: environ)
        assert store.get(it, slot, lambda _: environ) == ["b"]
        assert store.get(it, "prod_eu_net_vpc_ids", lambda _: environ) == ["b"]
        assert cloud.secrets == {"p_prod_eu_net_vpc_ids": [b'["a"]', b'["b"]']}
        cloud.forbidden.add("p_prod_eu_net_vpc_ids")
        with pytest.raises(StackError, match="answered 403: Permission denied"):
            store.get(it, slot, lambda _: environ)
        with pytest.raises(StackError, match="answered 401: Invalid Credentials"):
            store.get(it, slot, lambda _: {"GOOGLE_OAUTH_ACCESS_TOKEN": "wrong"})


def test_key_vault_is_asked_as_the_service_principal(tmp_path: Path) -> None:
    with proxy.running(tmp_path) as gate, azure.running(gate) as cloud:
        it = store.Store(
            "kv", "azure/keyvault", "", True,
            {"vault_url": f"https://{azure.VAULT}", "prefix": "my_app"}, None,
        )  # fmt: skip
        environ = {"PATH": "/usr/bin:/bin", **gate.environment(), **cloud.principal()}
        slot = store.Slot("prod-eu", "net/vpc", "db.password")
        with pytest.raises(store.Missing):
            store.get(it, slot, lambda _: environ)
        store.put(it, slot, "s3cret", lambda _: environ)
        assert store.get(it, slot, lambda _: environ) == "s3cret"
        assert cloud.secrets == {"my-app-prod-eu-net-vpc-db-password": "s3cret"}
        cloud.forbidden.add("other")
        with pytest.raises(StackError, match="answered 403: Forbidden: no permission get on other"):
            store.get(it, "other", lambda _: environ)
        wrong = {**environ, "ARM_CLIENT_SECRET": "wrong"}
        with pytest.raises(StackError, match="AADSTS7000215"):
            store.get(it, slot, lambda _: wrong)
        assert gate.refused == []
