"""Tokens of jobs and files: each source as it is written, what programs see, and what is said."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.fakes import aws, ci, proxy
from tests.fakes.web_identity import AUDIENCE, Issuer

ACCOUNT = "222222222222"
CONFIG = """\
auth:
  realm: lab
  providers:
    job: {{kind: oidc, region: us-east-1, spec: {{{spec}}}}}
  identities:
    deploy:
      kind: aws/assume-role
      default: true
      via: {{provider: job}}
      principal: {{assume_role: "arn:aws:iam::222222222222:role/deploy", session_name: ci{more}}}
"""
EXEC = ("auth", "exec", "--")
# Source -> what is written in its `spec` beside the audience.
SPECS = {
    "github": "source: github",
    "gitlab": "source: gitlab, variable: AWS_ID_TOKEN",
    "bitbucket": "source: bitbucket",
    "circleci": "source: circleci",
    "buildkite": "source: buildkite, lifetime: 10m",
    "variable": "source: variable, variable: OUR_TOKEN",
    "file": "file: !env TOKEN_FILE",
}


@pytest.fixture(scope="module")
def jobs() -> Iterator[ci.Jobs]:
    with aws.running() as cloud:
        yield ci.Jobs(cloud, ACCOUNT, "deploy", "state")


@pytest.fixture
def service(jobs: ci.Jobs) -> Iterator[ci.GitHub]:
    with ci.github(lambda audience: jobs.token("github", audience)) as found:
        yield found


@pytest.fixture
def through(tmp_path: Path) -> Iterator[proxy.Proxy]:
    with proxy.running(tmp_path) as found:
        yield found


@pytest.fixture
def job(
    jobs: ci.Jobs, service: ci.GitHub, through: proxy.Proxy, cli: Cli, tmp_path: Path
) -> Callable[[str], dict[str, str]]:
    """Return a function that writes the configuration for a source and gives a job's variables."""
    cli.environment.update(jobs.cloud.environment())
    binaries = Path(cli.environment["PATH"].partition(":")[0])
    agent = ["oidc", "request-token", "--audience", AUDIENCE, "--lifetime", "600"]

    def made(source: str) -> dict[str, str]:
        configure(cli, SPECS[source])
        if source == "github":
            return service.environment(through)
        if source == "buildkite":
            token = jobs.token(source, exp=int(time.time()) + 600)
            ci.program(binaries, "buildkite-agent", agent, ["BUILDKITE_AGENT_ACCESS_TOKEN"], token)
            return {"BUILDKITE_AGENT_ACCESS_TOKEN": "agent-secret"}
        if source == "file":
            (tmp_path / "token").write_text(jobs.token("kubernetes") + "\n")
            return {"TOKEN_FILE": str(tmp_path / "token")}
        names = {
            "gitlab": "AWS_ID_TOKEN",
            "bitbucket": "BITBUCKET_STEP_OIDC_TOKEN",
            "circleci": "CIRCLE_OIDC_TOKEN_V2",
            "variable": "OUR_TOKEN",
        }
        return {names[source]: jobs.token("gitlab" if source == "variable" else source)}

    return made


def configure(cli: Cli, spec: str, more: str = "") -> None:
    text = CONFIG.format(spec=f"audience: {AUDIENCE}, {spec}".rstrip(", "), more=more)
    (cli.cwd / "atmos.yaml").write_text(text)


def asked(jobs: ci.Jobs) -> int:
    return len(jobs.cloud.calls("AssumeRoleWithWebIdentity"))


@pytest.mark.parametrize("source", sorted(SPECS))
def test_a_source_is_the_role_for_a_real_client_which_sees_no_token(
    source: str,
    job: Callable[[str], dict[str, str]],
    jobs: ci.Jobs,
    cli: Cli,
    tool: Callable[[str], str],
    through: proxy.Proxy,
) -> None:
    variables = job(source)
    script = f"env; {tool('aws')} sts get-caller-identity --output json >&2"
    done = cli(*EXEC, "sh", "-c", script, env=variables)
    assert done.exit == 0, done.stderr
    assert json.loads(done.stderr)["Arn"] == jobs.session("ci")
    seen = dict(line.split("=", 1) for line in done.stdout.splitlines() if "=" in line)
    harmless = {**through.environment(), "GITHUB_ACTIONS": "true", "TOKEN_FILE": ""}
    assert set(variables) & set(seen) <= set(harmless)
    assert [v for n, v in variables.items() if n not in harmless and v in done.stdout] == []
    assert (through.asked, through.refused) == ([ci.GITHUB] if source == "github" else [], [])


def test_a_stumbling_github_is_asked_again(
    job: Callable[[str], dict[str, str]], service: ci.GitHub, cli: Cli
) -> None:
    service.statuses = [(500, {}), (429, {"Retry-After": "1"})]
    done = cli(*EXEC, "true", env=job("github"))
    assert (done.exit, done.stderr) == (0, "")
    assert service.asked == [f"/7/idtoken?api-version=2.0&audience={AUDIENCE}"] * 3


def test_a_github_that_refuses_is_asked_once(
    job: Callable[[str], dict[str, str]], service: ci.GitHub, cli: Cli
) -> None:
    variables = {**job("github"), "ACTIONS_ID_TOKEN_REQUEST_TOKEN": "of-another-job"}
    done = cli(*EXEC, "true", env=variables)
    assert done.exit == 77
    assert "GitHub refused the OIDC token of this job (HTTP 401)" in done.stderr
    assert len(service.asked) == 1
    assert "of-another-job" not in done.stderr


def test_a_session_belongs_to_its_job(
    job: Callable[[str], dict[str, str]], jobs: ci.Jobs, cli: Cli
) -> None:
    first, before = job("gitlab"), asked(jobs)
    second = {"AWS_ID_TOKEN": jobs.token("gitlab")}
    assert [cli(*EXEC, "true", env=env).exit for env in (first, first, second)] == [0, 0, 0]
    assert asked(jobs) == before + 2
    assert cli(*EXEC, "true").exit == 77


def test_a_renewed_file_is_the_same_caller_and_another_subject_is_not(
    job: Callable[[str], dict[str, str]], jobs: ci.Jobs, cli: Cli, tmp_path: Path
) -> None:
    variables, before = job("file"), asked(jobs)
    assert cli(*EXEC, "true", env=variables).exit == 0
    (tmp_path / "token").write_text(jobs.token("kubernetes"))
    assert cli(*EXEC, "true", env=variables).exit == 0
    assert asked(jobs) == before + 1
    (tmp_path / "token").write_text(jobs.token("kubernetes", sub="system:serviceaccount:ci:other"))
    done = cli(*EXEC, "true", env=variables)
    assert (done.exit, asked(jobs)) == (77, before + 2)


def test_a_program_renews_its_session_from_the_file_as_it_is_then(
    job: Callable[[str], dict[str, str]],
    jobs: ci.Jobs,
    cli: Cli,
    tmp_path: Path,
    state: Path,
    tool: Callable[[str], str],
) -> None:
    variables, before = job("file"), asked(jobs)
    (tmp_path / "next").write_text(jobs.token("kubernetes"))
    script = (
        f"mv {tmp_path}/next {tmp_path}/token; rm {state}/realms/lab/sessions/*.json; cd /;"
        f" {tool('aws')} sts get-caller-identity --query Arn --output text"
    )
    done = cli(*EXEC, "sh", "-c", script, env=variables)
    assert (done.exit, done.stdout) == (0, jobs.session("ci") + "\n"), done.stderr
    assert asked(jobs) == before + 2


def test_a_program_cannot_renew_from_a_variable_and_is_told_why(
    job: Callable[[str], dict[str, str]], cli: Cli, state: Path, tool: Callable[[str], str]
) -> None:
    script = f"rm {state}/realms/lab/sessions/*.json; {tool('aws')} sts get-caller-identity"
    done = cli(*EXEC, "sh", "-c", script, env=job("gitlab"))
    assert done.exit != 0
    assert 'provider "job": AWS_ID_TOKEN is not set' in done.stderr
    assert "needs a longer `principal.duration`" in done.stderr


# ---- what is said ---------------------------------------------------------------------------------


def refused(cli: Cli, spec: str, **env: str) -> Result:
    configure(cli, spec)
    return cli(*EXEC, "true", env=env)


def lines(done: Result) -> list[str]:
    """Return error and hints without places and the way of the chain."""
    told = [line for line in done.stderr.splitlines() if not line.startswith("  at ")]
    return [line.removeprefix("hint: ").strip() for line in told if "link of the chain" not in line]


GITLAB = "source: gitlab, variable: T"
WRITE = f".gitlab-ci.yml: `id_tokens: {{T: {{aud: {AUDIENCE}}}}}`"


def test_a_token_that_is_not_there_is_named_with_what_to_write(cli: Cli) -> None:
    done = refused(cli, GITLAB)
    assert done.exit == 77
    assert lines(done)[:2] == ['error: provider "job": T is not set', WRITE]


def test_what_is_no_jwt_is_not_sent_and_not_shown(cli: Cli, jobs: ci.Jobs) -> None:
    before = asked(jobs)
    for text in ("hunter2", "aHVudGVy.aHVudGVy.aHVudGVy", "a" * 30000):
        done = refused(cli, GITLAB, T=text)
        told = ['error: provider "job": the token in T holds no OIDC token (a JWT)', WRITE]
        assert (done.exit, lines(done)) == (77, told)
    assert asked(jobs) == before


def test_a_token_for_somebody_else_is_not_sent(cli: Cli, jobs: ci.Jobs) -> None:
    before = asked(jobs)
    done = refused(cli, GITLAB, T=jobs.token("gitlab", ["vault", "https://gitlab.com"]))
    others = '"vault" and "https://gitlab.com"'
    assert (done.exit, lines(done)) == (
        77,
        [
            f'error: provider "job": the token in T is for {others}, not for "{AUDIENCE}"',
            WRITE,
            "or write what it is for as `spec.audience`",
        ],
    )
    assert asked(jobs) == before


def test_a_token_that_has_ended_says_how_long_ago(cli: Cli, jobs: ci.Jobs) -> None:
    done = refused(cli, GITLAB, T=jobs.token("gitlab", exp=int(time.time()) - 700))
    assert done.exit == 77
    assert 'provider "job": the token in T ended 70' in done.stderr
    assert "it lives as long as the job may run" in done.stderr


def test_several_ci_systems_are_not_guessed_among(cli: Cli) -> None:
    done = refused(cli, "", GITLAB_CI="true", BUILDKITE="true")
    assert (done.exit, lines(done)) == (
        78,
        [
            'error: provider "job": this looks like several CI systems: gitlab, buildkite',
            "say which one: `spec: {source: …}`",
        ],
    )


def test_outside_of_ci_it_says_so(cli: Cli) -> None:
    done = refused(cli, "", GITHUB_ACTIONS="false")
    assert done.exit == 77
    assert 'error: provider "job": no CI system was recognised here' in done.stderr


@pytest.mark.parametrize(
    ("spec", "program", "env"),
    [
        ("source: buildkite", "buildkite-agent", {"BUILDKITE_AGENT_ACCESS_TOKEN": "secret"}),
        ("source: circleci", "circleci", {}),
    ],
)
def test_a_program_that_gives_no_token_is_named(
    cli: Cli, spec: str, program: str, env: dict[str, str]
) -> None:
    done = refused(cli, spec, **env)
    assert (done.exit, lines(done)[0]) == (77, f'error: provider "job": {program} is not in PATH')
    path = Path(cli.environment["PATH"].partition(":")[0], program)
    for body, told in (
        ("echo no >&2; exit 3", "ended with status 3"),
        ("exit 0", "printed nothing"),
        ("yes", "printed more than a token"),
    ):
        path.write_text(f"#!/bin/sh\n{body}\n")
        path.chmod(0o755)
        done = refused(cli, spec, **env)
        assert done.exit == 77
        assert f'error: provider "job": {program} {told}' in done.stderr


def test_a_file_that_cannot_be_read_is_named(cli: Cli, tmp_path: Path) -> None:
    done = refused(cli, f"file: {tmp_path}/none")
    assert (done.exit, lines(done)) == (
        77,
        [
            f'error: provider "job": {tmp_path}/none cannot be read: No such file or directory',
            f"in a pod: a projected `serviceAccountToken: {{audience: {AUDIENCE}}}`",
        ],
    )


def test_a_token_that_nobody_known_signed_says_what_iam_needs(cli: Cli, jobs: ci.Jobs) -> None:
    cli.environment.update(jobs.cloud.environment())
    impostor = Issuer("https://gitlab.com")
    for issuer in (impostor, Issuer("https://gitlab.example.com")):
        done = refused(cli, GITLAB, T=issuer.token("project_path:acme/infra"))
        assert done.exit == 77
        assert "STS refused to assume arn:aws:iam::222222222222:role/deploy: Invalid" in done.stderr
        assert f"account {ACCOUNT} needs an IAM OIDC provider for {issuer.url}" in done.stderr


def test_a_trust_policy_for_another_branch_is_told_the_subject(cli: Cli, jobs: ci.Jobs) -> None:
    cli.environment.update(jobs.cloud.environment())
    subject = "project_path:acme/infra:ref_type:branch:ref:feature"
    done = refused(cli, GITLAB, T=jobs.token("gitlab", sub=subject))
    assert done.exit == 77
    assert "AccessDenied: Not authorized to perform sts:AssumeRoleWithWebIdentity" in done.stderr
    assert "must allow it to oidc-provider/gitlab.com," in done.stderr
    assert f"with the audience {AUDIENCE} and the subject {subject}" in done.stderr


# ---- what is written ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("spec", "key", "told"),
    [
        ("source: gitlb", "source", 'spec.source "gitlb" is not known'),
        ("source: gitlab", "source", "source gitlab needs spec.variable"),
        ("source: file", "source", "source file needs spec.file"),
        ("file: token", "file", "spec.file must be an absolute path"),
        ("source: github, file: /t", "file", "spec.file has no meaning for source github"),
        (
            "source: file, variable: T, file: /t",
            "variable",
            "spec.variable has no meaning for source file",
        ),
        (
            "source: github, lifetime: 5m",
            "lifetime",
            "spec.lifetime has no meaning for source github",
        ),
        ("lifetime: 300", "lifetime", "spec.lifetime is a duration"),
    ],
)
def test_a_fault_of_a_provider_is_found_without_a_job(
    cli: Cli, spec: str, key: str, told: str
) -> None:
    configure(cli, spec)
    line = (cli.cwd / "atmos.yaml").read_text().splitlines()[3]
    done = cli("auth", "validate")
    assert done.exit == 78
    place = f"4:{line.index(f' {key}: ') + 2}"
    assert f'error: provider "job": {told}\n  at atmos.yaml:{place}\n' in done.stderr


def test_fields_that_a_token_cannot_carry_are_refused(cli: Cli) -> None:
    fields = {
        "session_tags": "{a: b}",
        "transitive_tag_keys": "[a]",
        "source_identity": "me",
        "mfa_serial": "arn:aws:iam::222222222222:mfa/me",
    }
    configure(cli, "source: bitbucket", "".join(f", {k}: {v}" for k, v in fields.items()))
    done = cli("auth", "validate")
    assert done.exit == 78
    found = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    assert found == [
        f'error: identity "deploy": principal.{key} cannot be sent with an OIDC token'
        for key in fields
    ]
    assert cli(*EXEC, "true", env={"BITBUCKET_STEP_OIDC_TOKEN": "a.b.c"}).exit == 78
