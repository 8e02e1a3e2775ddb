"""The installed program signs in by SAML with a real Chromium, and real clients use what it gives."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import sysconfig
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.fakes import saml
from tests.fakes.saml import ADMIN, AUDIT, Idp, Sts

CONFIG = """
base_path: ./
auth:
  realm: lab
  providers:
    acme: {{kind: aws/saml, url: "{url}", region: eu-west-1, {more}}}
  identities:
    admin: {{kind: aws/assume-role, default: true, via: {{provider: acme}}, principal: {{assume_role: "{admin}"}}}}
    audit: {{kind: aws/assume-role, via: {{provider: acme}}, principal: {{assume_role: "{audit}"}}, required: {required}}}
    other: {{kind: aws/assume-role, via: {{provider: acme}}, principal: {{assume_role: "{admin}istrator"}}}}
    hop: {{kind: aws/assume-role, via: {{identity: audit}}, principal: {{assume_role: "arn:aws:iam::333333333333:role/Hop", session_name: hop}}}}
"""
CONFIGURED = "username: alice, password: !env IDP_PASSWORD"
SIGNED_IN = ["GET /aws", "POST /login"]


class Lab:
    """A repository, its identity provider, and STS."""

    def __init__(self, cli: Cli, idp: Idp, sts: Sts) -> None:
        self.cli, self.idp, self.sts = cli, idp, sts
        cli.environment |= {
            "AWS_ENDPOINT_URL": sts.endpoint,
            "CI": "true",
            "IDP_PASSWORD": idp.users["alice"],
        }
        self.state = Path(cli.environment["HOME"], ".local/state/atmos-wrap")
        self.configure()

    def configure(self, more: str = CONFIGURED, url: str = "", required: str = "false") -> None:
        """Write the repository."""
        given = {"url": url or self.idp.url, "more": more, "required": required}
        text = CONFIG.format(**given, admin=ADMIN, audit=AUDIT)
        (self.cli.cwd / "atmos.yaml").write_text(text)

    def kept(self) -> list[Path]:
        """Return the files of kept browser sessions."""
        return sorted((self.state / "saml").glob("*.json"))

    def browsers(self) -> list[str]:
        """Return the processes that have this test's home directory in their environment."""
        mark = f"HOME={self.cli.environment['HOME']}\0".encode()
        found = []
        for process in Path("/proc").iterdir():
            try:
                if process.name.isdigit() and mark in (process / "environ").read_bytes():
                    found.append((process / "comm").read_text().strip())
            except OSError:
                continue
        return found

    def await_no_browser(self) -> None:
        """Wait until every process of the sign-in has ended."""
        ends = time.monotonic() + 60
        while self.browsers() and time.monotonic() < ends:
            time.sleep(0.05)
        assert self.browsers() == []


@pytest.fixture
def lab(cli: Cli, tool: Callable[[str], str]) -> Iterator[Lab]:
    tool("chromium")
    with saml.running() as (idp, sts):
        yield Lab(cli, idp, sts)


def who_am_i(lab: Lab, program: str) -> list[str]:
    """Return the command that asks STS; older versions of the AWS CLI know no AWS_ENDPOINT_URL."""
    return [program, "sts", "get-caller-identity", "--endpoint-url", lab.sts.endpoint]


def test_a_configured_sign_in_once_and_the_aws_cli_is_each_role(
    lab: Lab, tool: Callable[[str], str]
) -> None:
    found = []
    for identity in ("admin", "audit", "admin"):
        command = who_am_i(lab, tool("/usr/bin/aws"))
        done = lab.cli("auth", "exec", "-i", identity, "--", *command, timeout=120)
        assert done.exit == 0, done.stderr
        found.append(json.loads(done.stdout)["Arn"])
    admin = "arn:aws:sts::111111111111:assumed-role/Admin/alice"
    assert found == [admin, "arn:aws:sts::222222222222:assumed-role/Audit/alice", admin]
    assert lab.idp.seen() == [*SIGNED_IN, "GET /aws"]  # the second role needs no form
    assert Counter(lab.sts.actions()) == {"AssumeRoleWithSAML": 2, "GetCallerIdentity": 3}
    assert [call.signer for call in lab.sts.calls if call.action == "GetCallerIdentity"] == found


def test_nothing_of_the_sign_in_is_kept_but_the_browsers_session(lab: Lab) -> None:
    done = lab.cli("auth", "exec", "--", "env")
    assert done.exit == 0, done.stderr
    assertions = [call.params["SAMLAssertion"] for call in lab.sts.calls if call.params]
    secrets = [lab.cli.environment["IDP_PASSWORD"], assertions[0]]
    texts = [path.read_text() for path in lab.state.rglob("*") if path.is_file()]
    assert [s for s in secrets for t in (*texts, done.stdout, done.stderr) if s in t] == []
    assert [oct(path.stat().st_mode & 0o777) for path in lab.kept()] == ["0o600"]
    assert oct((lab.state / "saml").stat().st_mode & 0o777) == "0o700"
    lab.await_no_browser()


def test_a_role_behind_the_role_is_signed_by_it(lab: Lab) -> None:
    assert lab.cli("auth", "login", "-i", "hop").exit == 0
    calls = [(call.action, call.signer) for call in lab.sts.calls]
    audit = "arn:aws:sts::222222222222:assumed-role/Audit/alice"
    assert calls == [("AssumeRoleWithSAML", None), ("AssumeRole", audit)]


def test_a_form_that_asks_for_the_name_first(lab: Lab) -> None:
    lab.idp.name_first = True
    assert lab.cli("auth", "login").exit == 0
    assert lab.idp.seen() == ["GET /aws", "POST /login", "POST /login"]


def test_a_wrong_password_is_sent_once(lab: Lab) -> None:
    done = lab.cli("auth", "login", env={"IDP_PASSWORD": "wrong"})
    assert done.exit == 77
    assert "did not accept the configured username and password" in done.stderr
    assert "wrong" not in done.stderr.replace("Wrong name", "")
    assert lab.idp.seen() == SIGNED_IN
    assert (lab.kept(), lab.sts.calls) == ([], [])


def test_a_role_that_is_not_offered_is_refused_with_those_that_are(lab: Lab) -> None:
    done = lab.cli("auth", "login", "-i", "other")
    assert done.exit == 77
    assert f'identity "other": the identity provider does not offer {ADMIN}istrator' in done.stderr
    assert f"hint: it offers: {ADMIN}, {AUDIT}" in done.stderr
    assert lab.sts.calls == []


def test_a_provider_that_is_down_and_one_that_stumbles(lab: Lab) -> None:
    lab.configure(url="http://127.0.0.1:9/aws?token=secret")
    down = lab.cli("auth", "login")
    assert down.exit == 77
    assert "no answer from http://127.0.0.1:9/aws (net::ERR_" in down.stderr
    assert "secret" not in down.stderr
    lab.configure()
    lab.idp.status = 503
    stumbles = lab.cli("auth", "login")
    assert stumbles.exit == 77
    assert f'{lab.idp.url} answered HTTP 503 (the page is called "Out of order")' in stumbles.stderr


def test_an_assertion_for_another_application_never_leaves(lab: Lab) -> None:
    lab.idp.changed = {"audience": "urn:example:wiki"}
    done = lab.cli("auth", "login")
    assert done.exit == 77
    told = 'provider "acme": the answer of the identity provider is for another audience than AWS'
    assert f"{told}: urn:example:wiki" in done.stderr
    assert lab.sts.calls == []


def test_a_page_that_asks_for_more_needs_a_person(lab: Lab) -> None:
    lab.idp.code_wanted = True
    done = lab.cli("auth", "login")
    assert done.exit == 77
    assert 'asks more than username and password (the page is called "Code")' in done.stderr


def test_without_a_password_a_job_says_what_to_do(lab: Lab) -> None:
    lab.configure(more="username: alice")
    done = lab.cli("auth", "login")
    assert done.exit == 77
    assert f"signing in to {lab.idp.url} needs a window and a terminal" in done.stderr
    assert lab.idp.seen() == []


def test_a_missing_browser_is_named(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    nothing = {"PATH": str(tmp_path / "nothing")}
    done = lab.cli("auth", "login", env=nothing)
    assert done.exit == 127
    assert 'provider "acme": there is no browser to sign in with' in done.stderr
    assert "looked for chromium, chromium-browser, google-chrome" in done.stderr
    assert "-m playwright install chromium" in done.stderr
    lab.configure(more=f"{CONFIGURED}, browser_executable_path: /nowhere/chromium")
    done = lab.cli("auth", "login")
    assert done.exit == 78
    assert 'browser_executable_path "/nowhere/chromium" is no program' in done.stderr


def test_a_download_is_tried_only_when_it_is_wished(lab: Lab, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    env = {
        "PATH": str(tmp_path / "nothing"),
        "PLAYWRIGHT_DOWNLOAD_HOST": lab.idp.url.removesuffix("/aws"),
    }
    lab.cli("auth", "login", env=env)
    assert lab.idp.seen() == []
    lab.configure(more=f"{CONFIGURED}, download_browser_driver: true")
    lab.idp.status = 404
    done = lab.cli("auth", "login", env=env, timeout=120)
    assert done.exit == 127
    assert "downloading chromium for the sign-in (download_browser_driver)" in done.stderr
    assert "the browser was not downloaded: " in done.stderr
    assert any(path.endswith(".zip") for path in lab.idp.seen())


def test_without_the_extra_the_command_that_installs_it_is_told(lab: Lab, tmp_path: Path) -> None:
    place = tmp_path / "venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    installed = next(place.glob("lib/python*/site-packages"))
    for each in Path(sysconfig.get_path("purelib")).iterdir():
        if not each.name.startswith(("playwright", "defusedxml")):
            (installed / each.name).symlink_to(each)
    done = subprocess.run(
        [str(place / "bin/python"), "-P", "-m", "wrapper", "auth", "login"],
        env=lab.cli.environment,
        cwd=lab.cli.cwd,
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert done.returncode == 127
    told = "a SAML sign-in needs playwright and defusedxml, which are not installed"
    assert told in done.stderr
    assert "hint: pip install 'atmos-wrap[saml]'" in done.stderr
    assert "pipx inject" in done.stderr


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_sign_in_leaves_no_browser_and_nothing_half_written(
    lab: Lab, number: signal.Signals
) -> None:
    lab.idp.delay = 60.0
    run = lab.cli.start("auth", "login")
    assert lab.idp.asked.wait(60)
    assert "chromium" in lab.browsers()
    os.killpg(run.pid, number)
    _, told = run.communicate(timeout=60)
    assert run.returncode == (130 if number == signal.SIGINT else -number)
    lab.await_no_browser()
    assert (lab.kept(), told) == ([], "")
    assert [p.name for p in lab.state.rglob("*") if p.is_file() and p.suffix != ".lock"] == []
    lab.idp.delay = 0.0
    assert lab.cli("auth", "login").exit == 0


def test_many_cold_runs_at_once_type_the_password_once(lab: Lab) -> None:
    runs = [
        lab.cli.start("auth", "exec", "-i", ("admin", "audit")[n % 2], "--", "true")
        for n in range(6)
    ]
    ends = [run.communicate(timeout=120) for run in runs]
    assert [run.returncode for run in runs] == [0] * 6, ends
    found = Counter(lab.idp.seen())
    assert (found["POST /login"], found["GET /aws"]) == (1, 2)
    assert lab.sts.actions() == ["AssumeRoleWithSAML"] * 2


def test_many_cold_runs_share_a_refused_sign_in(lab: Lab) -> None:
    lab.cli.environment["IDP_PASSWORD"] = "wrong"
    lab.idp.open.clear()
    runs = [
        lab.cli.start("auth", "exec", "-i", ("admin", "audit")[n % 2], "--", "true")
        for n in range(6)
    ]
    lab.idp.open.set()
    ends = [run.communicate(timeout=120)[1] for run in runs]
    assert [run.returncode for run in runs] == [77] * 6
    assert all("did not accept the configured username" in text for text in ends), ends
    assert lab.idp.seen() == SIGNED_IN


def test_a_required_role_shares_the_sign_in_of_the_run(lab: Lab) -> None:
    lab.configure(required="true")
    done = lab.cli("auth", "exec", "--", "true")
    assert (done.exit, done.stderr) == (0, "")
    assert lab.idp.seen() == SIGNED_IN
    assert lab.sts.actions() == ["AssumeRoleWithSAML"] * 2


def test_a_program_gets_a_new_session_by_the_kept_one_of_the_browser(
    lab: Lab, tool: Callable[[str], str]
) -> None:
    variables = lab.cli("auth", "env", "--login", "--format", "json")
    assert variables.exit == 0, variables.stderr
    for session in (lab.state / "realms/lab/sessions").glob("*.json"):
        session.unlink()
    command = who_am_i(lab, tool("/usr/bin/aws"))
    env = {**lab.cli.environment, **json.loads(variables.stdout)}
    del env["IDP_PASSWORD"]
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    assert lab.idp.seen() == [*SIGNED_IN, "GET /aws"]
    lab.idp.end_sessions()
    for session in (lab.state / "realms/lab/sessions").glob("*.json"):
        session.unlink()
    done = subprocess.run(command, env=env, capture_output=True, text=True, timeout=120)
    assert "asks for a person" in done.stderr
    assert "auth login --provider acme" in done.stderr


def test_a_login_to_the_provider_tells_the_roles_and_a_logout_removes_the_session(lab: Lab) -> None:
    done = lab.cli("auth", "login", "--provider", "acme")
    assert done.exit == 0, done.stderr
    assert [line.split()[-1] for line in done.stderr.splitlines() if "Role" in line] == [
        ADMIN,
        AUDIT,
    ]
    assert len(lab.kept()) == 1
    assert lab.cli("auth", "login", "--provider", "acme", "--force").exit == 0
    assert lab.idp.seen() == [*SIGNED_IN, *SIGNED_IN]
    done = lab.cli("auth", "logout", "--provider", "acme")
    told = f"the browser's session of {lab.idp.url} is removed; it was not ended there"
    assert (done.exit, told in done.stderr) == (0, True)
    assert lab.kept() == []
    assert lab.cli("auth", "login").exit == 0
    assert lab.idp.seen()[-2:] == SIGNED_IN


# ---- a window ---------------------------------------------------------------------------------------


@pytest.fixture
def window(lab: Lab, tmp_path: Path, tool: Callable[[str], str]) -> Lab:
    """A desk without a screen: Chromium opens its windows in memory. The page's script is the person."""
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\nexec {tool("chromium")} --ozone-platform=headless "$@"\n')
    browser.chmod(0o755)
    lab.configure(more=f"browser_executable_path: {browser}")
    lab.cli.environment |= {"DISPLAY": ":99", "CI": ""}
    lab.idp.person = "sign-in"
    return lab


def at_a_terminal(lab: Lab, *args: str) -> tuple[int, str]:
    """Run the program at a terminal; return its exit code and what was shown."""
    child = pexpect.spawn(
        lab.cli.program,
        list(args),
        env=lab.cli.environment,
        cwd=str(lab.cli.cwd),
        timeout=60,
        encoding="utf-8",
        dimensions=(24, 200),
    )
    told = str(child.read())
    child.wait()
    return int(child.exitstatus or 0), told


def test_a_person_signs_in_in_a_window_and_the_next_time_no_window_opens(window: Lab) -> None:
    code, told = at_a_terminal(window, "auth", "login")
    assert (code, window.idp.seen()) == (0, SIGNED_IN), told
    assert f'sign in to provider "acme", {window.idp.url}, in the window that opens' in told
    code, told = at_a_terminal(window, "auth", "login")
    assert (code, "window" in told) == (0, False)
    assert window.idp.seen() == [*SIGNED_IN, "GET /aws"]
    window.await_no_browser()


def test_a_session_that_ended_at_the_provider_opens_the_window_again(window: Lab) -> None:
    assert at_a_terminal(window, "auth", "login")[0] == 0
    window.idp.end_sessions()
    code, told = at_a_terminal(window, "auth", "login")
    assert (code, "in the window that opens" in told) == (0, True), told
    assert window.idp.seen() == [*SIGNED_IN, "GET /aws", *SIGNED_IN]


def test_a_setting_says_that_no_window_is_wanted(window: Lab) -> None:
    window.cli.environment["ATMOS_WRAP_BROWSER_HEADLESS"] = "true"
    code, told = at_a_terminal(window, "auth", "login")
    assert code == 77
    assert 'asks for a person (the page is called "Sign in to Acme")' in told
