"""What the example workflows of the CI systems say is run, in a job as the system would start it."""

from __future__ import annotations

import re
import shlex
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.conftest import Cli
from tests.fakes import aws, ci, proxy
from tests.fakes.web_identity import AUDIENCE

EXAMPLE = aws.CLONE / "docs/examples/ci"
ACCOUNT, BUCKET = "222222222222", "acme-terraform-state"
FILES = {
    "github": "github.yml",
    "gitlab": "gitlab-ci.yml",
    "bitbucket": "bitbucket-pipelines.yml",
    "circleci": "circleci.yml",
    "buildkite": "buildkite.yml",
    "kubernetes": "kubernetes-pod.yaml",
}
INSTALL = "python3 -m pip install ./atmos-wrap"


@pytest.fixture(scope="module")
def jobs() -> Iterator[ci.Jobs]:
    with aws.running() as cloud:
        yield ci.Jobs(cloud, ACCOUNT, "deploy", BUCKET)


def workflow(system: str) -> Any:
    return yaml.safe_load((EXAMPLE / FILES[system]).read_text(encoding="utf-8"))


def provider(profile: str) -> dict[str, Any]:
    text = (EXAMPLE / "profiles" / profile / "atmos.yaml").read_text(encoding="utf-8")
    found = yaml.safe_load(re.sub(r"!env (\w+)", r"$\1", text))["auth"]["providers"]
    return dict(next(iter(found.values())))


def commands(system: str) -> list[str]:
    """Return what a workflow runs in the job, in order."""
    found = workflow(system)
    if system == "github":
        return [step["run"] for step in found["jobs"]["dev"]["steps"] if "run" in step]
    if system == "gitlab":
        job = found["deploy-dev"]
        return [*job["before_script"], *job["script"]]
    if system == "bitbucket":
        return list(found["pipelines"]["branches"]["main"][0]["step"]["script"])
    if system == "circleci":
        return [step["run"] for step in found["jobs"]["deploy-dev"]["steps"] if step != "checkout"]
    if system == "buildkite":
        return list(found["steps"][0]["commands"])
    return [shlex.join(found["spec"]["containers"][0]["command"])]


def own_variables(system: str) -> Mapping[str, str]:
    """Return the variables that a workflow itself sets for the job."""
    found = workflow(system)
    given: dict[str, Mapping[str, str]] = {
        "github": found.get("jobs", {}).get("dev", {}).get("env", {}),
        "gitlab": found.get("deploy-dev", {}).get("variables", {}),
        "bitbucket": {},
        "circleci": found.get("jobs", {}).get("deploy-dev", {}).get("environment", {}),
        "buildkite": found.get("env", {}),
    }
    if system == "kubernetes":
        return {one["name"]: one["value"] for one in found["spec"]["containers"][0]["env"]}
    return given[system]


@pytest.fixture
def job(
    jobs: ci.Jobs, environment: dict[str, str], tmp_path: Path
) -> Iterator[Callable[[str], dict[str, str]]]:
    """Return a function that gives the environment in which a system starts a job."""
    binaries = Path(environment["PATH"].partition(":")[0])
    with (
        proxy.running(tmp_path) as through,
        ci.github(lambda audience: jobs.token("github", audience)) as service,
    ):

        def variables(system: str) -> dict[str, str]:
            if system == "github":
                return service.environment(through)
            if system == "gitlab":
                given = workflow(system)["deploy-dev"]["id_tokens"]
                tokens = {name: jobs.token(system, one["aud"]) for name, one in given.items()}
                return {"GITLAB_CI": "true", **tokens}
            if system == "bitbucket":
                step = workflow(system)["pipelines"]["branches"]["main"][0]["step"]
                token = jobs.token(system, step["oidc"]["audiences"])
                return {"BITBUCKET_BUILD_NUMBER": "7", "BITBUCKET_STEP_OIDC_TOKEN": token}
            if system == "circleci":
                argv = ["run", "oidc", "get", "--claims", f'{{"aud": "{AUDIENCE}"}}']
                ci.program(binaries, "circleci", argv, ["CIRCLECI"], jobs.token(system))
                token = jobs.token(system, ci.ORGANIZATION)
                return {"CIRCLECI": "true", "CIRCLE_OIDC_TOKEN_V2": token}
            if system == "buildkite":
                argv = ["oidc", "request-token", "--audience", AUDIENCE]
                needs = ["BUILDKITE_AGENT_ACCESS_TOKEN", "BUILDKITE_JOB_ID"]
                ci.program(binaries, "buildkite-agent", argv, needs, jobs.token(system))
                return {"BUILDKITE": "true", **dict.fromkeys(needs, "1")}
            path = own_variables(system)["AWS_WEB_IDENTITY_TOKEN_FILE"]
            volume = workflow(system)["spec"]["volumes"][0]["projected"]["sources"][0]
            file = tmp_path / Path(path).name
            file.write_text(jobs.token(system, [volume["serviceAccountToken"]["audience"]]))
            return {"AWS_WEB_IDENTITY_TOKEN_FILE": str(file)}

        def made(system: str) -> dict[str, str]:
            return {**own_variables(system), **jobs.cloud.environment(), **variables(system)}

        yield made


@pytest.mark.parametrize("system", sorted(FILES))
def test_a_workflow_deploys_as_the_role_by_its_jobs_token(
    system: str,
    job: Callable[[str], dict[str, str]],
    jobs: ci.Jobs,
    cli: Cli,
    terraform: str,
    environment: dict[str, str],
) -> None:
    shutil.copytree(EXAMPLE, cli.cwd, dirs_exist_ok=True)
    Path(terraform).with_name("atmos-wrap").symlink_to(cli.program)
    ran = commands(system)
    assert system == "kubernetes" or INSTALL in ran
    before = len(jobs.cloud.calls())
    done = subprocess.run(
        ["bash", "-euc", "\n".join(line for line in ran if line != INSTALL)],
        env={**environment, **job(system)},
        cwd=cli.cwd,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert "Apply complete!" in done.stdout
    calls = jobs.cloud.calls()[before:]
    asked = [call for call in calls if call.action == "AssumeRoleWithWebIdentity"]
    assert [(call.params["RoleArn"], call.error, call.signer) for call in asked] == [
        (jobs.role, None, None)
    ]
    name = "pod" if system == "kubernetes" else "ci"
    stored = [call for call in calls if call.service == "s3"]
    assert {(call.signer, call.key) for call in stored} == {(jobs.session(name), asked[0].granted)}


def test_every_workflow_is_for_the_audience_of_the_provider_beside_it() -> None:
    audience, variable = (provider("ci")["spec"][key] for key in ("audience", "variable"))
    step = workflow("bitbucket")["pipelines"]["branches"]["main"][0]["step"]
    assert workflow("gitlab")["deploy-dev"]["id_tokens"] == {variable: {"aud": audience}}
    assert step["oidc"]["audiences"] == [audience]
    assert workflow("github")["permissions"]["id-token"] == "write"
    pod = workflow("kubernetes")["spec"]
    token = pod["volumes"][0]["projected"]["sources"][0]["serviceAccountToken"]
    place = pod["containers"][0]["volumeMounts"][0]["mountPath"]
    variables = own_variables("kubernetes")
    spec = provider("pod")["spec"]
    assert spec == {"audience": token["audience"], "file": "$AWS_WEB_IDENTITY_TOKEN_FILE"}
    assert variables["AWS_WEB_IDENTITY_TOKEN_FILE"] == f"{place}/{token['path']}"


@pytest.mark.parametrize("system", sorted(FILES))
def test_a_workflow_chooses_a_profile_that_is_there(system: str) -> None:
    exported = [line.partition("=")[2] for line in commands(system) if "ATMOS_PROFILE=" in line]
    chosen = own_variables(system).get("ATMOS_PROFILE") or exported[0]
    assert (EXAMPLE / "profiles" / chosen / "atmos.yaml").is_file()


def test_the_example_is_valid_with_and_without_its_profiles(cli: Cli) -> None:
    shutil.copytree(EXAMPLE, cli.cwd, dirs_exist_ok=True)
    file = {"AWS_WEB_IDENTITY_TOKEN_FILE": "/var/run/token"}
    for profile in ((), ("--profile", "ci"), ("--profile", "pod")):
        done = cli("auth", "validate", *profile, env=file)
        assert (done.exit, done.stdout) == (0, ""), profile
        assert done.stderr == "✅ Authentication configuration is valid\n"
