"""Real clients in a shell with the hook: they act as the directory's identity, or say what to type."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.hook_shell import Hooked
from tests.fakes import aws, kubernetes, portal

HOME, DEV = "111111111111", "222222222222"
ADMIN = f"arn:aws:sts::{DEV}:assumed-role/AWSReservedSSO_Admin_abc/me"
ATMOS = f"""\
auth:
  realm: hooked
  providers:
    sso: {{kind: aws/iam-identity-center, start_url: "{portal.START_URL}", region: eu-west-1}}
  identities:
    admin:
      kind: aws/permission-set
      default: true
      via: {{provider: sso}}
      principal: {{name: Admin, region: us-east-1, account: {{name: dev}}}}
"""
MODULE = """\
terraform {
  backend "s3" {
    bucket         = "hooked"
    key            = "state"
    region         = "us-east-1"
    use_path_style = true
  }
}
resource "terraform_data" "app" { input = "x" }
"""
TYPE = "atmos-wrap auth login admin"


class Cloud:
    """An AWS, a portal whose sessions it enforces, and a cluster that knows them."""

    def __init__(self, fake: aws.Fake, sso: portal.Portal, cluster: kubernetes.Cluster) -> None:
        self.fake, self.sso, self.cluster = fake, sso, cluster
        sso.mint = self._mint
        sso.accounts = [(DEV, "dev", ["Admin"])]
        admin = fake.role(DEV, "AWSReservedSSO_Admin_abc", trusts=[])
        fake.bucket(HOME, "hooked")
        fake.allow(admin, "s3:*", "arn:aws:s3:::hooked", name="bucket")
        fake.allow(admin, "s3:*", "arn:aws:s3:::hooked/*", name="objects")

    def _mint(self, arn: str, seconds: float) -> tuple[str, str, str]:
        key, secret, token = self.fake.session(arn, seconds)
        self.cluster.keys[key] = kubernetes.Key(secret, token, arn)
        return key, secret, token


@pytest.fixture(scope="module")
def cloud(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    """Return the cloud of all tests of this file."""
    scratch = tmp_path_factory.mktemp("cluster")
    with (
        aws.running() as fake, portal.running() as sso,
        kubernetes.running(scratch) as cluster,
    ):  # fmt: skip
        yield Cloud(fake, sso, cluster)


@pytest.fixture
def repo(cli: Cli, cloud: Cloud, tool: Callable[[str], str]) -> Path:
    """Write an allowed repository; the clients are in PATH."""
    (cli.cwd / "atmos.yaml").write_text(ATMOS)
    (cli.cwd / "main.tf").write_text(MODULE)
    (cli.cwd / "kubeconfig").write_text(cloud.cluster.kubeconfig())
    binaries = Path(cli.environment["PATH"].partition(":")[0])
    (binaries / "aws").symlink_to(Path(sys.executable).with_name("aws"))
    (binaries / "aws2").symlink_to(tool("/usr/bin/aws"))
    (binaries / "kubectl").symlink_to(tool("kubectl"))
    (binaries / "terraform").symlink_to(tool("terraform"))
    cli.environment |= {
        **cloud.fake.environment(),
        "AWS_ENDPOINT_URL_SSO": cloud.sso.endpoint,
        "AWS_ENDPOINT_URL_SSO_OIDC": cloud.sso.endpoint,
        "KUBECONFIG": str(cli.cwd / "kubeconfig"),
        "AWS_ACCESS_KEY_ID": "foreign",
        "AWS_SECRET_ACCESS_KEY": "foreign",
    }
    assert cli("allow").exit == 0
    return cli.cwd


Opened = Callable[[str], Hooked]


@pytest.fixture
def opened(cli: Cli, repo: Path, tool: Callable[[str], str]) -> Iterator[Opened]:
    """Return a function that opens a shell in the repository."""
    shells: list[Hooked] = []

    def start(name: str) -> Hooked:
        shells.append(Hooked(name, tool(name), cli, repo.parent))
        shells[-1].run(f"cd {repo}")
        return shells[-1]

    yield start
    for one in shells:
        one.close()


WHO = "aws sts get-caller-identity --query Arn --output text"


def test_all_clients_act_as_the_directorys_identity(opened: Opened, cloud: Cloud) -> None:
    shell = opened("bash")
    who2 = f"aws2 --endpoint-url {cloud.fake.endpoint} {WHO.removeprefix('aws ')}"
    clients = {
        "aws": WHO,
        "aws2": who2,
        "terraform": "terraform init -no-color",
        "kubectl": "kubectl get --raw /whoami",
    }
    for name, line in clients.items():
        assert TYPE in shell.run(line), name
    assert "successful" in shell.run("atmos-wrap auth login admin")
    assert ADMIN in shell.run(WHO)
    assert ADMIN in shell.run(who2)
    assert "successfully initialized" in shell.run("terraform init -no-color")
    assert "1 added" in shell.run("terraform apply -auto-approve -no-color")
    assert {c.signer for c in cloud.fake.calls(service="s3")} == {ADMIN}
    assert json.loads(cloud.fake.objects(HOME, "hooked")["state"])["resources"]
    assert f'{{"principal": "{ADMIN}"}}' in shell.run("kubectl get --raw /whoami")
    # Outside of it they are what the shell was before.
    shell.run("cd /")
    assert "You must specify a region" in shell.run(WHO)


@pytest.mark.parametrize("name", ["zsh", "fish"])
def test_other_shells_give_it_to_clients_too(opened: Opened, cloud: Cloud, name: str) -> None:
    shell = opened(name)
    assert TYPE in shell.run(WHO)
    assert "successful" in shell.run("atmos-wrap auth login admin")
    assert ADMIN in shell.run(WHO)


# ---- wrap.shell.login ----------------------------------------------------------------------------

ASK = r"sign in to admin\? \[Y/n\] "


@pytest.fixture
def asking(home: Path) -> None:
    """Let the user be asked."""
    (home / ".atmos").mkdir()
    (home / ".atmos/atmos.yaml").write_text("wrap: {shell: {login: ask}}\n")


def at_the_terminal(home: Path, count: int) -> None:
    """Wait until so many of a home's credential processes have the terminal open."""
    found = 0
    while found < count:
        found = 0
        for entry in Path("/proc").glob("[0-9]*"):
            try:
                line = (entry / "cmdline").read_bytes()
                if (
                    b"credential-process" in line
                    and os.fsencode(home) in line
                    and b"python" in line
                ):
                    found += "/dev/tty" in {os.readlink(fd) for fd in (entry / "fd").iterdir()}
            except OSError:
                continue
        time.sleep(0.01)


def test_a_client_offers_to_sign_in_and_goes_on(
    asking: None, opened: Opened, repo: Path, cloud: Cloud, home: Path
) -> None:
    shell = opened("bash")
    assert "sign in" not in shell.everything
    # Two at once in the foreground: one question, one sign-in, and nothing but JSON on stdout.
    began = cloud.sso.actions().count("StartDeviceAuthorization")
    line = "aws sts get-caller-identity --output json"
    shell.child.sendline(f"{line} > one.json | {line} > two.json")
    shell.child.expect(ASK)
    at_the_terminal(home, 2)
    shell.child.sendline("")
    printed = shell.done()
    assert "[Y/n]" not in printed
    assert cloud.sso.actions().count("StartDeviceAuthorization") == began + 1
    for name in ("one.json", "two.json"):
        assert json.loads((repo / name).read_text())["Arn"] == ADMIN


def test_a_declined_offer_says_what_to_type(asking: None, opened: Opened, cloud: Cloud) -> None:
    shell = opened("bash")
    began = len(cloud.sso.calls)
    shell.child.sendline(f"{WHO} | {WHO}")
    shell.child.expect(ASK)
    shell.child.sendline("n")
    printed = shell.done()
    assert "[Y/n]" not in printed
    assert printed.count(TYPE) == 2
    # Ctrl-C ends the program that was to use it, too.
    shell.child.sendline(WHO)
    shell.child.expect(ASK)
    shell.child.sendintr()
    printed = shell.done()
    assert "internal fault" not in printed
    assert len(cloud.sso.calls) == began


def test_nobody_is_asked_where_nobody_can_answer(asking: None, opened: Opened) -> None:
    shell = opened("bash")
    off = ("CI=true", "ATMOS_INTERACTIVE=false", "ATMOS_WRAP_SHELL_LOGIN=never", "setsid -w")
    for line in (*(f"{one} {WHO}" for one in off), f"{WHO} & wait"):
        printed = shell.run(line)
        assert TYPE in printed, line
        assert "[Y/n]" not in printed, line


def test_a_repository_cannot_let_programs_ask(cli: Cli, opened: Opened, repo: Path) -> None:
    (repo / "atmos.yaml").write_text(ATMOS + "wrap: {shell: {login: ask}}\n")
    done = cli("allow")
    assert "wrap.shell.login of" in done.stderr
    assert "is ignored" in done.stderr
    shell = opened("bash")
    printed = shell.run(WHO)
    assert (TYPE in printed, "[Y/n]" in printed) == (True, False)
