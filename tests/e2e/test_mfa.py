"""An MFA code is asked for on a terminal, once; without one the error says what to do."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.conftest import Cli
from tests.e2e.conftest import Terminal
from tests.e2e.ends import ended, sessions_over
from tests.fakes import aws, chain

if TYPE_CHECKING:
    import pexpect

CODE = "123456"
PROMPT = r"MFA code of arn:aws:iam::111111111111:mfa/alice: "
WHO = ("exec", "-i", "deploy", "--", "env")


@pytest.fixture
def made(cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake) -> chain.Chain:
    """The chain; its first role asks for a session with MFA."""
    made = make_chain(mfa_code=CODE)
    fake_aws.set_trust(made.roles["gate"], aws.trust_policy(made.user.arn, mfa=True))
    return made


def _end(child: pexpect.spawn[str]) -> tuple[int, str]:
    ended(child)
    assert child.exitstatus is not None
    return child.exitstatus, child.before or ""


def test_the_code_is_asked_for_once_per_session(
    cli: Cli, made: chain.Chain, fake_aws: aws.Fake, terminal: Terminal
) -> None:
    child = terminal(*WHO)
    child.expect_exact(PROMPT)
    child.sendline(CODE)
    code, said = _end(child)
    assert code == 0, said
    assert "AWS_PROFILE=deploy" in said
    (asked,) = fake_aws.calls("GetSessionToken")
    assert asked.params["SerialNumber"] == made.user.mfa_arn
    # Now also where nobody can be asked.
    again = cli(*WHO)
    assert (again.exit, again.stderr) == (0, "")
    assert len(fake_aws.calls("GetSessionToken")) == 1


def test_terraform_runs_after_the_prompt(
    cli: Cli, made: chain.Chain, fake_aws: aws.Fake, terraform: str, terminal: Terminal
) -> None:
    child = terminal("terraform", "apply", "app", "-s", "prod")
    child.expect_exact(PROMPT)
    child.sendline(CODE)
    child.expect("Enter a value:", timeout=60)
    child.sendline("yes")
    code, said = _end(child)
    assert code == 0, said
    assert {call.signer for call in fake_aws.calls(service="s3")} == {made.session("deploy")}


def test_without_a_terminal_nobody_is_asked(
    cli: Cli, made: chain.Chain, fake_aws: aws.Fake
) -> None:
    done = cli(*WHO, stdin=f"{CODE}\n")
    assert (done.exit, done.stdout) == (77, "")
    assert done.stderr.startswith(
        f'error: identity "alice" needs an MFA code of {made.user.mfa_arn},'
        " and there is no terminal\n"
    )
    assert "hint: sign in at a terminal first: atmos-wrap auth login -i alice" in done.stderr
    assert fake_aws.calls() == []


def test_in_ci_nobody_is_asked_on_a_terminal_either(made: chain.Chain, terminal: Terminal) -> None:
    code, said = _end(terminal(*WHO, env={"CI": "true"}))
    assert code == 77
    assert "needs an MFA code" in said


def test_a_wrong_code_may_be_typed_once_more(
    made: chain.Chain, fake_aws: aws.Fake, terminal: Terminal
) -> None:
    child = terminal(*WHO)
    child.expect_exact(PROMPT)
    child.sendline("000000")
    child.expect_exact(f"refused; {PROMPT}")
    child.sendline(CODE)
    assert _end(child)[0] == 0
    assert [call.error for call in fake_aws.calls("GetSessionToken")] == ["AccessDenied", None]


def test_a_second_wrong_code_ends_the_run(
    made: chain.Chain, fake_aws: aws.Fake, terminal: Terminal
) -> None:
    child = terminal(*WHO)
    for wrong in ("000000", "999999"):
        child.expect_exact(PROMPT)
        child.sendline(wrong)
    code, said = _end(child)
    assert code == 77
    assert "STS refused GetSessionToken: AccessDenied: MultiFactorAuthentication failed" in said
    assert len(fake_aws.calls("GetSessionToken")) == 2


def test_what_is_no_code_is_not_sent(
    made: chain.Chain, fake_aws: aws.Fake, terminal: Terminal
) -> None:
    child = terminal(*WHO)
    child.expect_exact(PROMPT)
    child.sendline("12345")
    child.expect_exact("an MFA code has 6 digits")
    child.expect_exact(PROMPT)
    child.sendline(CODE)
    assert _end(child)[0] == 0
    assert len(fake_aws.calls("GetSessionToken")) == 1


@pytest.mark.parametrize(
    ("key", "signal"), [("\x04", 130), ("\x03", 130)], ids=["ctrl-d", "ctrl-c"]
)
def test_a_declined_prompt_ends_the_run(
    made: chain.Chain, fake_aws: aws.Fake, terminal: Terminal, key: str, signal: int
) -> None:
    child = terminal(*WHO)
    child.expect_exact(PROMPT)
    child.send(key)
    code, said = _end(child)
    assert code == signal
    assert "Traceback" not in said
    assert fake_aws.calls() == []


def test_the_end_of_a_session_with_mfa_is_an_error_where_nobody_can_be_asked(
    cli: Cli, made: chain.Chain, terminal: Terminal, state: Path
) -> None:
    child = terminal("auth", "login", "-i", "alice")
    child.expect_exact(PROMPT)
    child.sendline(CODE)
    assert _end(child)[0] == 0
    sessions_over(state, longest=math.inf)
    done = cli(*WHO)
    assert done.exit == 77
    assert 'identity "alice" needs an MFA code' in done.stderr


def test_required_identities_wait_for_the_one_code_that_is_typed(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, terminal: Terminal
) -> None:
    others = "".join(
        f"{name}: {{kind: aws/assume-role, required: true, via: {{identity: gate}},"
        f' principal: {{assume_role: "arn:aws:iam::444444444444:role/{name}"}}}}\n'
        for name in ("audit", "billing", "logs")
    )
    made = make_chain(mfa_code=CODE, identities=others)
    for name in ("audit", "billing", "logs"):
        role = fake_aws.role("444444444444", name, trusts=made.roles["gate"])
        fake_aws.allow(made.roles["gate"], "sts:AssumeRole", role, name=name)
    child = terminal(*WHO)
    child.expect_exact(PROMPT)
    child.sendline(CODE)
    code, said = _end(child)
    assert code == 0, said
    assert "warning" not in said
    assert len(fake_aws.calls("GetSessionToken")) == 1
    assert len(fake_aws.calls("AssumeRole")) == 6


def test_a_terminal_is_asked_although_a_process_without_one_failed_before_it(
    cli: Cli, made: chain.Chain, terminal: Terminal
) -> None:
    """Both started at once, and the one that cannot ask had the lock first."""
    background = [cli.start(*WHO) for _ in range(3)]
    child = terminal(*WHO)
    child.expect_exact(PROMPT)
    for process in background:
        assert process.poll() in (None, 77)
    child.sendline(CODE)
    assert _end(child)[0] == 0
    for process in background:
        process.communicate(timeout=60)


@pytest.mark.parametrize(
    ("code", "said"),
    [("abc", "the MFA code that was given has not 6 digits"), ("000000", "AWS refused the MFA")],
)
def test_a_wrong_code_on_the_command_line_is_named(
    made: chain.Chain, cli: Cli, fake_aws: aws.Fake, code: str, said: str
) -> None:
    done = cli("auth", "login", "-i", "alice", "--mfa-code", code)
    assert done.exit == 77
    assert said in done.stderr
    assert "no terminal" not in done.stderr
    assert len(fake_aws.calls("GetSessionToken")) == (1 if code.isdigit() else 0)
