"""A person signs in with real Chromium, and real clients use what the sign-in gives."""

from __future__ import annotations

import json
import re
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import ended, hang_up, sessions_over
from tests.fakes import aws, portal_pages, signin
from tests.fakes.chromium import Person, Step
from tests.fakes.portal_pages import Pages
from tests.fakes.signin import SignIn

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

    def start(*args: str, env: Mapping[str, str] | None = None) -> pexpect.spawn[str]:
        child = pexpect.spawn(
            cli.program,
            list(args),
            cwd=str(cli.cwd),
            env=cli.child_environment({"CI": None, **(env or {})}),
            encoding="utf-8",
            timeout=60,
            dimensions=(50, 2000),
        )
        started.append(child)
        return child

    yield start
    for child in started:
        hang_up(child)


def end(child: pexpect.spawn[str]) -> tuple[int, str]:
    ended(child)
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
    assert isinstance(child.match, re.Match)
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


# ---- no browser here ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "variables",
    [{}, {"BROWSER": "w3m"}, {"DISPLAY": ":99"}, {"SSH_CONNECTION": "10.0.0.1 1 10.0.0.2 22"}],
    ids=["headless", "text-browser", "display-without-opener", "ssh"],
)
def test_without_a_graphical_browser_a_code_is_shown_and_no_text_browser_takes_the_terminal(
    cli: Cli, sso: Pages, tmp_path: Path, terminal: Terminal, variables: dict[str, str]
) -> None:
    started = tmp_path / "started"
    for name in ("w3m", "lynx", "www-browser"):
        program = tmp_path / "bin" / name
        program.write_text(f"#!/bin/sh\necho {name} >>{started}\ncat\n")
        program.chmod(0o700)
    # Nothing else that could show a page.
    alone = {"PATH": str(tmp_path / "bin"), **variables}
    child = terminal("auth", "login", env=alone)
    child.expect(r"open  (http\S+/device\?user_code=\S+)\r")
    assert isinstance(child.match, re.Match)
    user = dict(parse_qsl(urlsplit(child.match.group(1)).query))["user_code"]
    form = urlencode({"page": user, "button": "allow"}).encode()
    urllib.request.urlopen(f"{sso.endpoint}/device/decision", form, timeout=60).close()
    assert end(child)[0] == 0
    assert not started.exists()


# ---- the browser of an IAM user -------------------------------------------------------------------

ME = """
base_path: ./
auth:
  realm: lab
  identities:
    me: {kind: aws/user, default: true, credentials: {region: us-east-1}}
    plain: {kind: aws/user, credentials: {region: us-east-1, webflow_enabled: false}}
"""


@pytest.fixture
def user(cli: Cli) -> Iterator[SignIn]:
    """A sign-in service, and a repository with a user who has no keys."""
    with signin.running() as found:
        (cli.cwd / "atmos.yaml").write_text(ME)
        cli.environment["AWS_ENDPOINT_URL"] = found.endpoint
        cli.environment["AWS_ENDPOINT_URL_SIGNIN"] = found.endpoint
        cli.environment["ATMOS_KEYRING_TYPE"] = "memory"
        yield found


def typed(user: SignIn, password: str = "", mfa: str = "") -> list[Step]:
    """Return the steps of somebody who fills the form."""
    steps: list[Step] = [
        ("fill", "user", user.user),
        ("fill", "password", password or user.password),
    ]
    if mfa:
        steps.append(("fill", "mfa", mfa))
    return [*steps, ("press", "Sign in")]


def test_a_user_signs_in_by_password(cli: Cli, user: SignIn, sit: Sit, terminal: Terminal) -> None:
    person = sit(*typed(user), ("see", CLOSE))
    child = terminal("auth", "login", env=person.variables)
    seen = person.saw()
    assert seen["text"] == f"You are signed in. {CLOSE}"
    assert end(child)[0] == 0
    assert arn(cli, "me") == signin.USER
    assert user.grants() == ["authorization_code"]
    # The port lived as long as the sign-in.
    with pytest.raises(urllib.error.URLError, match="refused"):
        urllib.request.urlopen(seen["visited"][-1], timeout=60)


def test_a_wrong_password_and_a_wrong_code_may_be_typed_again(
    cli: Cli, user: SignIn, sit: Sit, terminal: Terminal
) -> None:
    user.mfa = "123456"
    wrong = typed(user, "wrong", "123456")
    late = typed(user, mfa="000000")
    person = sit(
        *wrong, ("see", "Wrong user name"), *late, ("see", "Wrong MFA"), *typed(user, mfa="123456"),
        ("see", CLOSE),
    )  # fmt: skip
    child = terminal("auth", "login", env=person.variables)
    person.saw()
    assert end(child)[0] == 0
    assert arn(cli, "me") == signin.USER


def test_a_sign_in_that_the_user_cancels(
    cli: Cli, user: SignIn, sit: Sit, terminal: Terminal
) -> None:
    person = sit(("press", "Cancel"), ("see", CLOSE))
    child = terminal("auth", "login", env=person.variables)
    assert person.saw()["text"] == f"The sign-in failed. {CLOSE}"
    code, said = end(child)
    assert (code, "the sign-in was declined in the browser" in said) == (77, True), said
    assert user.grants() == []


def test_a_page_of_another_origin_cannot_answer_even_with_the_right_state(
    cli: Cli, user: SignIn, sit: Sit, terminal: Terminal
) -> None:
    forge = """async () => {
        const asked = new URL(location.href).searchParams;
        const forged = new URLSearchParams({code: "forged", state: asked.get("state")});
        const url = asked.get("redirect_uri") + "?" + forged;
        await fetch(url, {mode: "no-cors"}).catch(() => 0);
        await new Promise(done => { const i = new Image(); i.onerror = done; i.src = url; });
    }"""
    person = sit(("run", forge), *typed(user), ("see", CLOSE))
    child = terminal("auth", "login", env=person.variables)
    person.saw()
    assert end(child)[0] == 0
    assert ["forged" in str(asked) for asked in user.tokens] == [False]


def test_ended_credentials_are_renewed_by_the_program_without_a_browser(
    cli: Cli, user: SignIn, sit: Sit, terminal: Terminal, state: Path
) -> None:
    person = sit(*typed(user), ("see", CLOSE))
    child = terminal("auth", "login", env=person.variables)
    person.saw()
    assert end(child)[0] == 0
    sessions_over(state, longest=900)
    assert arn(cli, "me") == signin.USER
    assert user.grants() == ["authorization_code", "refresh_token"]


def test_after_the_refresh_token_a_person_is_needed(
    cli: Cli, user: SignIn, sit: Sit, terminal: Terminal, state: Path
) -> None:
    person = sit(*typed(user), ("see", CLOSE))
    child = terminal("auth", "login", env=person.variables)
    person.saw()
    assert end(child)[0] == 0
    user.refresh.clear()
    sessions_over(state, longest=900)
    done = cli("exec", "--", "true")
    assert done.exit == 77
    assert 'identity "me": signing in by browser needs a terminal' in done.stderr
    assert "sign in at a terminal first: atmos-wrap auth login -i me" in done.stderr


@pytest.mark.parametrize(
    "variables", [{}, {"CI": "true", "ATMOS_FORCE_TTY": "true"}], ids=["headless", "ci"]
)
def test_a_code_of_another_machine_can_be_pasted(
    cli: Cli, user: SignIn, terminal: Terminal, variables: dict[str, str]
) -> None:
    child = terminal("auth", "login", env=variables)
    child.expect(r"open  (http\S+)\r")
    assert isinstance(child.match, re.Match)
    asked = dict(parse_qsl(urlsplit(child.match.group(1)).query))
    child.expect_exact("paste the code, or the address that it ends at")
    code = user.code(asked["code_challenge"], asked["redirect_uri"])
    child.sendline(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': 'other'})}")
    child.expect_exact("that is no code of this sign-in")
    child.sendline(f"{asked['redirect_uri']}?{urlencode({'code': code, 'state': asked['state']})}")
    assert end(child)[0] == 0
    assert arn(cli, "me") == signin.USER


def test_webflow_enabled_false_turns_the_browser_off(
    cli: Cli, user: SignIn, sit: Sit, terminal: Terminal
) -> None:
    for options in ([], ["--webflow"]):
        code, said = end(terminal("auth", "login", "-i", "plain", *options))
        assert (code, "v1/authorize" in said) == (77, False), said
    assert user.tokens == []


def test_terraform_keeps_its_state_in_s3_as_who_signed_in_by_browser(
    cli: Cli, user: SignIn, sit: Sit, terminal: Terminal, fake_aws: aws.Fake, terraform: str
) -> None:
    role = fake_aws.role("111111111111", "Console", trusts="arn:aws:iam::111111111111:root")
    fake_aws.bucket("111111111111", "state")
    fake_aws.allow(role, "s3:*", name="state")
    user.mint = fake_aws.session
    cli.environment |= fake_aws.environment()
    cli.environment["AWS_ENDPOINT_URL_SIGNIN"] = user.endpoint
    (cli.cwd / "main.tf").write_text(
        'terraform {\n  backend "s3" {\n    bucket = "state"\n    key = "app"\n'
        '    region = "us-east-1"\n    use_path_style = true\n  }\n}\noutput "x" { value = 1 }\n'
    )
    person = sit(*typed(user), ("see", CLOSE))
    child = terminal("auth", "login", env=person.variables)
    person.saw()
    assert end(child)[0] == 0
    for command in (["init"], ["apply", "-auto-approve"]):
        done = cli("exec", "--", "terraform", *command, "-input=false", timeout=120)
        assert done.exit == 0, done.stderr
    assert {call.signer for call in fake_aws.calls(service="s3")} == {signin.USER}
