"""A person signs in with real Chromium, and real clients use what the sign-in gives."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.fakes import portal_pages
from tests.fakes.chromium import Person, Step
from tests.fakes.portal_pages import Pages

SSO = """
base_path: ./
auth:
  realm: lab
  providers:
    acme: {kind: aws/iam-identity-center, start_url: "https://acme.awsapps.com/start", region: eu-west-1}
  identities:
    dev: {kind: aws/permission-set, default: true, via: {provider: acme}, principal: {name: Admin, account: {name: dev}}}
"""
ADMIN = "arn:aws:sts::111111111111:assumed-role/AWSReservedSSO_Admin_abc/me"
CLOSE = "You can close this page."
AWS = str(Path(sys.executable).parent / "aws")
Sit = Callable[..., Person]
Terminal = Callable[..., "pexpect.spawn[str]"]


@pytest.fixture
def sso(cli: Cli) -> Iterator[Pages]:
    """A portal with pages, and a repository that uses it."""
    with portal_pages.running() as found:
        (cli.cwd / "atmos.yaml").write_text(SSO)
        cli.environment["AWS_ENDPOINT_URL"] = found.endpoint
        yield found


@pytest.fixture
def sit(tmp_path: Path, tool: Callable[[str], str]) -> Iterator[Sit]:
    """Return a function that puts somebody before Chromium, who follows steps."""
    people: list[Person] = []

    def one(*steps: Step) -> Person:
        people.append(Person(tmp_path, tool("chromium"), *steps))
        return people[-1]

    yield one
    for person in people:
        person.__exit__()


@pytest.fixture
def terminal(cli: Cli) -> Iterator[Terminal]:
    """Return a function that starts the program on a terminal."""
    started: list[pexpect.spawn[str]] = []

    def start(*args: str, env: dict[str, str] | None = None) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            cli.program,
            list(args),
            cwd=str(cli.cwd),
            env=cli.child_environment({"CI": None, **(env or {})}),  # type: ignore[arg-type]
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 2000),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        child.close(force=True)


def end(child: pexpect.spawn[str]) -> tuple[int, str]:
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus is not None, child.signalstatus
    return child.exitstatus, child.before or ""


def arn(cli: Cli, identity: str) -> str:
    """Return who the AWS CLI finds itself to be, where nobody can be asked."""
    done = cli("exec", "-i", identity, "--", AWS, "sts", "get-caller-identity", timeout=120)
    assert done.exit == 0, done.stderr
    return str(json.loads(done.stdout)["Arn"])


def test_sso_by_code_and_verifier_in_the_browser_of_this_machine(
    cli: Cli, sso: Pages, sit: Sit, terminal: Terminal
) -> None:
    person = sit(("press", "Allow access"), ("see", CLOSE))
    child = terminal("auth", "login", env=person.variables)
    assert person.saw()["text"] == f"You are signed in. {CLOSE}"
    assert end(child)[0] == 0
    assert sso.actions()[:2] == ["RegisterClient", "CreateToken"]
    assert sso.calls[1].params["grantType"] == "authorization_code"
    assert arn(cli, "dev") == ADMIN


def test_sso_by_a_code_that_is_compared_and_confirmed(
    cli: Cli, sso: Pages, sit: Sit, terminal: Terminal
) -> None:
    person = sit(("press", "Confirm and continue"), ("press", "Allow access"), ("see", "decided"))
    child = terminal("auth", "login", "--device", env=person.variables)
    child.expect(r"code  ([0-9A-F]{4}-[0-9A-F]{4})\r")
    assert child.match is not None
    shown = child.match.group(1)
    assert any(f"user_code={shown}" in url for url in person.saw()["visited"])
    assert end(child)[0] == 0
    assert arn(cli, "dev") == ADMIN


@pytest.mark.parametrize(
    ("options", "steps"),
    [
        ((), [("press", "Deny access"), ("see", CLOSE)]),
        (("--device",), [("press", "Confirm and continue"), ("press", "Deny access")]),
    ],
    ids=["browser", "device"],
)
def test_sso_that_is_declined_in_the_browser(
    cli: Cli,
    sso: Pages,
    sit: Sit,
    terminal: Terminal,
    options: tuple[str, ...],
    steps: list[Step],
) -> None:
    person = sit(*steps)
    child = terminal("auth", "login", *options, env=person.variables)
    seen = person.saw()
    code, said = end(child)
    assert (code, "the sign-in was declined in the browser" in said) == (77, True), said
    assert "<b>" not in seen["html"]
    assert cli("exec", "--", "true").exit == 77
