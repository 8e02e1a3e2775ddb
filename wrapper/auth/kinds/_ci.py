"""The CI systems that give a job an OIDC token: how each is recognised, what only we may see of it.

Nothing is imported: the session keys and the environment of a program are made with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.typed import Any, NamedTuple


class System(NamedTuple):
    """One source of tokens.

    `marker` is the variable that is set in its jobs, `token` the one that holds a token, `secrets`
    those from which a token can be had, `job` what tells one job from another beside them.
    """

    marker: str = ""
    token: str = ""
    secrets: tuple[str, ...] = ()
    job: tuple[str, ...] = ()


# Source: docs.github.com/actions/reference/security/oidc,
# docs.gitlab.com/ci/secrets/id_token_authentication,
# support.atlassian.com/bitbucket-cloud/docs/integrate-pipelines-with-resource-servers-using-oidc,
# circleci.com/docs/openid-connect-tokens, buildkite.com/docs/agent/v3/cli-oidc.
SYSTEMS: Mapping[str, System] = {
    "github": System(
        "GITHUB_ACTIONS",
        secrets=(
            "ACTIONS_ID_TOKEN_REQUEST_URL",
            "ACTIONS_ID_TOKEN_REQUEST_TOKEN",
            "ACTIONS_ID_TOKEN",
        ),
    ),
    "gitlab": System("GITLAB_CI"),
    "bitbucket": System(
        "BITBUCKET_BUILD_NUMBER", "BITBUCKET_STEP_OIDC_TOKEN", ("BITBUCKET_STEP_OIDC_TOKEN",)
    ),
    "circleci": System(
        "CIRCLECI",
        "CIRCLE_OIDC_TOKEN_V2",
        ("CIRCLE_OIDC_TOKEN", "CIRCLE_OIDC_TOKEN_V2"),
        ("CIRCLE_WORKFLOW_JOB_ID",),
    ),
    "buildkite": System(
        "BUILDKITE", secrets=("BUILDKITE_AGENT_ACCESS_TOKEN",), job=("BUILDKITE_JOB_ID",)
    ),
    "variable": System(),
    "file": System(),
}
# Sources that need `spec.variable`.
NAMED = ("gitlab", "variable")


def sources(given: Mapping[str, Any], environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return where a provider's token can come from here: one source, none, or too many.

    `given` is its `spec`: what is written there decides, else the variables of the CI systems.
    """
    if given.get("source"):
        return (str(given["source"]),)
    if given.get("file"):
        return ("file",)
    marked = tuple(
        name for name, system in SYSTEMS.items() if environ.get(system.marker, "false") != "false"
    )
    return marked or (("variable",) if given.get("variable") else ())


def secrets(given: Mapping[str, Any]) -> frozenset[str]:
    """Return the variables that a program which runs as the provider's roles must not see.

    Those of every system when `spec` leaves open which one it is.
    """
    names = {str(given["variable"])} if given.get("variable") else set()
    source = str(given.get("source") or ("file" if given.get("file") else ""))
    for name, system in SYSTEMS.items():
        if source in ("", name):
            names.update(system.secrets)
    return frozenset(names)


def caller(given: Mapping[str, Any], environ: Mapping[str, str]) -> list[str]:
    """Return what tells one job from another; of a token file, for whom its token speaks.

    A file's token is replaced before it ends and stays the same caller.
    """
    found = sources(given, environ)
    names = set(secrets(given))
    for source in found:
        names.update(SYSTEMS.get(source, System()).job)
    values = [f"{name}={environ.get(name, '')}" for name in sorted(names)]
    if found == ("file",):
        from wrapper.auth.kinds import _jwt

        try:
            with open(str(given.get("file", "")), encoding="utf-8", errors="replace") as stream:
                claims = _jwt.claims(stream.read(1 << 16).strip()) or {}
        except (OSError, ValueError):
            claims = {}
        values += [str(claims.get(key, "")) for key in ("iss", "sub", "aud")]
    return values
