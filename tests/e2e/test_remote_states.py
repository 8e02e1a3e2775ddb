"""`!terraform.state` of states that terraform itself wrote to Google's and Azure's storage."""

from __future__ import annotations

import base64
import contextlib
import secrets
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.fakes import azure, google, proxy

ATMOS = """\
base_path: .
components: {terraform: {base_path: components, auto_generate_backend_file: true}}
stacks: {base_path: stacks, included_paths: ["*.yaml"], name_pattern: "{stage}"}
"""
MODULE = """\
output "text" { value = "hello" }
output "list" { value = ["a", "b"] }
"""
STACK = """\
vars: {stage: prod}
terraform:
  backend_type: %(kind)s
  backend:
    %(kind)s: %(backend)s
components:
  terraform:
    app: {metadata: {%(workspace)s}}
    other: {metadata: {component: app}}
    reader:
      metadata: {component: app}
      vars:
        text: !terraform.state app text
        item: !terraform.state app .list[1]
        absent: !terraform.state app .absent // "none"
    early:
      metadata: {component: app}
      vars:
        text: !terraform.state other text
        fallback: !terraform.state other .text // "none"
"""
READ = "absent: none\nitem: b\nstage: prod\ntext: hello\n\n"
EARLY = "fallback: none\nstage: prod\ntext: (computed)\n\n"


def repository(cli: Cli, kind: str, backend: str, workspace: str = "") -> None:
    """Write a repository whose state is kept in a backend."""
    text = STACK % {"kind": kind, "backend": backend, "workspace": workspace}
    for name, content in {
        "atmos.yaml": ATMOS,
        "stacks/prod.yaml": text,
        "components/app/main.tf": 'variable "stage" { type = string }\n' + MODULE,
    }.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")


def shown(cli: Cli, component: str, env: dict[str, str] | None = None) -> Result:
    """Return what `describe` shows of a component's variables."""
    return cli("describe", "component", component, "-s", "prod", "-q", ".vars", env=env)


def applied(cli: Cli, env: dict[str, str]) -> None:
    """Let terraform write the state."""
    done = cli("terraform", "apply", "app", "-s", "prod", "-auto-approve", env=env)
    assert done.exit == 0, done.stdout + done.stderr


# ---- Google -------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def cloud() -> Iterator[google.Google]:
    """Google, with a bucket."""
    with google.running() as running:
        running.bucket("states")
        yield running


def gcs(cloud: google.Google, bucket: str = "states") -> str:
    return f"{{bucket: {bucket}, storage_custom_endpoint: {cloud.url}/storage/v1/b}}"


def test_a_state_in_gcs_is_read_with_the_token_of_the_environment(
    cli: Cli, cloud: google.Google, terraform: str
) -> None:
    repository(cli, "gcs", gcs(cloud))
    stack = cli.cwd / "stacks/prod.yaml"
    stack.write_text(f"env: {{GOOGLE_OAUTH_ACCESS_TOKEN: !env CI_TOKEN}}\n{stack.read_text()}")
    env = {"CI_TOKEN": cloud.token("ci")}
    applied(cli, env)
    assert "app/prod.tfstate" in cloud.objects("states")
    assert shown(cli, "reader", env).stdout == READ
    assert shown(cli, "early", env).stdout == EARLY
    refused = shown(cli, "reader", {"CI_TOKEN": "wrong"})
    assert refused.exit == 78
    assert "127.0.0.1 answered 401: Invalid Credentials" in refused.stderr
    assert "at stacks/prod.yaml:" in refused.stderr


def test_a_service_accounts_key_and_the_default_workspace(
    cli: Cli, cloud: google.Google, terraform: str, tmp_path: Path
) -> None:
    bucket = f"own-{secrets.token_hex(4)}"
    cloud.bucket(bucket)
    repository(cli, "gcs", gcs(cloud, bucket), "terraform_workspace: default")
    env = {"GOOGLE_CREDENTIALS": str(cloud.key_file(tmp_path / "key.json"))}
    applied(cli, env)
    assert cloud.objects(bucket) == ["app/default.tfstate"]
    cloud.seen.clear()
    found = shown(cli, "reader", env)
    assert found.stdout == READ, found.stderr
    assert cloud.seen == [
        (google.ACCOUNT, "GET", f"/storage/v1/b/{bucket}/o/app/default.tfstate"),
    ]


def test_a_bucket_that_is_not_there_is_an_error_with_its_place(
    cli: Cli, cloud: google.Google
) -> None:
    repository(cli, "gcs", gcs(cloud, "nowhere"))
    done = shown(cli, "early", {"GOOGLE_OAUTH_ACCESS_TOKEN": cloud.token("ci")})
    assert done.exit == 78
    assert 'there is no bucket "nowhere"' in done.stderr
    assert "at stacks/prod.yaml:" in done.stderr


def test_a_customers_own_key_goes_with_the_request(cli: Cli, cloud: google.Google) -> None:
    key = base64.b64encode(secrets.token_bytes(32)).decode()
    repository(cli, "gcs", f"{gcs(cloud)[:-1]}, encryption_key: not base64}}")
    env = {"GOOGLE_OAUTH_ACCESS_TOKEN": cloud.token("ci")}
    assert "Error: " in shown(cli, "early", env).stderr
    assert cloud.customer_keys == set()
    repository(cli, "gcs", f"{gcs(cloud)[:-1]}, encryption_key: '{key}'}}")
    assert shown(cli, "early", env).stdout == EARLY
    assert cloud.customer_keys == {key}


# ---- Azure --------------------------------------------------------------------------------------


class Tenant:
    """Azure behind a proxy, and what its clients need."""

    def __init__(self, azure: azure.Azure, proxy: proxy.Proxy) -> None:
        self.azure, self.proxy = azure, proxy
        self.env = proxy.environment()
        self.principal = {**self.env, **azure.principal()}


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory, tool: object) -> Iterator[Tenant]:
    """Azure with a container, made with the account's key."""
    node = tool("node")  # type: ignore[operator]
    if not azure.AZURITE.exists():
        tool("azurite-blob")  # type: ignore[operator]
    scratch = tmp_path_factory.mktemp("azure")
    with contextlib.ExitStack() as stack:
        gate = stack.enter_context(proxy.running(scratch))
        cloud = stack.enter_context(azure.running(gate))
        stack.enter_context(azure.azurite(cloud, gate, scratch, node))
        azure.container(cloud, gate)
        yield Tenant(cloud, gate)


def azurerm(*more: str, container: str = azure.CONTAINER) -> str:
    names = f"storage_account_name: {azure.ACCOUNT}, container_name: {container}"
    return "{" + ", ".join((names, *more)) + "}"


@pytest.mark.parametrize(
    ("workspace", "blob"),
    [
        ("", "app.terraform.tfstateenv:prod"),
        ("terraform_workspace: default", "app.terraform.tfstate"),
    ],
)
def test_a_state_in_azure_is_read_with_the_accounts_key(
    cli: Cli, tenant: Tenant, terraform: str, workspace: str, blob: str
) -> None:
    repository(cli, "azurerm", azurerm(), workspace)
    env = {**tenant.env, "ARM_ACCESS_KEY": tenant.azure.key}
    applied(cli, env)
    assert blob in azure.blobs(tenant.azure, tenant.proxy)
    assert shown(cli, "reader", env).stdout == READ
    early = shown(cli, "early", env)
    assert early.stdout == EARLY, early.stderr
    wrong = base64.b64encode(secrets.token_bytes(64)).decode()
    refused = shown(cli, "reader", {**tenant.env, "ARM_ACCESS_KEY": wrong})
    assert refused.exit == 78
    # Azurite's word for it; Azure says 403 AuthenticationFailed.
    assert f"{azure.BLOB} answered 400: InvalidAuthenticationInfo" in refused.stderr
    assert "at stacks/prod.yaml:" in refused.stderr


def test_azure_knows_a_service_principal_a_listed_key_and_a_container_that_is_missing(
    cli: Cli, tenant: Tenant, terraform: str
) -> None:
    repository(cli, "azurerm", azurerm())
    applied(cli, {**tenant.env, "ARM_ACCESS_KEY": tenant.azure.key})
    repository(cli, "azurerm", azurerm("use_azuread_auth: true"))
    found = shown(cli, "reader", tenant.principal)
    assert found.stdout == READ, found.stderr
    tenant.azure.seen.clear()
    repository(cli, "azurerm", azurerm("resource_group_name: g", "subscription_id: s"))
    found = shown(cli, "reader", tenant.principal)
    assert found.stdout == READ, found.stderr
    group = "/subscriptions/s/resourceGroups/g"
    account = f"{group}/providers/Microsoft.Storage/storageAccounts/{azure.ACCOUNT}"
    assert [path for _, path in tenant.azure.seen] == [f"{account}/listKeys"]
    repository(cli, "azurerm", azurerm("use_azuread_auth: true", container="nowhere"))
    missing = shown(cli, "early", tenant.principal)
    assert missing.exit == 78
    assert f"{azure.BLOB} answered 404: ContainerNotFound" in missing.stderr
    assert tenant.proxy.refused == []


def test_a_shared_access_signature_opens_the_container(
    cli: Cli, tenant: Tenant, terraform: str
) -> None:
    repository(cli, "azurerm", azurerm())
    applied(cli, {**tenant.env, "ARM_ACCESS_KEY": tenant.azure.key})
    env = {**tenant.env, "ARM_SAS_TOKEN": azure.shared(tenant.azure)}
    found = shown(cli, "reader", env)
    assert found.stdout == READ, found.stderr
