"""The OIDC token of a CI job or of a file, for roles that trust its issuer.

A kind of ours: Atmos knows `github/oidc` alone, and refuses this one.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.auth.kinds import _aws, _ci, _jwt, _program, github_oidc
from wrapper.auth.model import Credential
from wrapper.env import EnvDelta
from wrapper.errors import AuthError, ConfigError, NeedsLogin, near
from wrapper.typed import Any, NamedTuple
from wrapper.world import World

CLOUD = _jwt.CLOUD
# STS takes 20,000 characters. Source: AWS, AssumeRoleWithWebIdentity.
LIMIT = 20_000
_NEVER = (
    "programs that it starts never see it: a session that must outlast the first one needs a longer "
    "`principal.duration` at the role"
)


class Spec(NamedTuple):
    """`source` is empty for what the shell shows; `lifetime` in seconds, 0 for the system's own."""

    name: str
    audience: str
    source: str = ""
    variable: str = ""
    file: str = ""
    lifetime: int = 0
    region: str = ""

    @property
    def title(self) -> str:
        """Return how errors begin."""
        return f'provider "{self.name}"'


class Token(NamedTuple):
    """A token and where it is from; `fresh` says that it was made just now, for our audience."""

    text: str
    place: str
    fresh: bool = False


def parse(name: str, raw: Mapping[str, Any]) -> Spec:
    """Return the provider. Raises: ConfigError."""
    given = raw.get("spec")
    spec = given if isinstance(given, Mapping) else {}
    for _, message, hint in faults(spec):
        raise ConfigError(f'provider "{name}": {message}', hint=hint)
    return Spec(
        name,
        str(spec["audience"]),
        str(spec.get("source") or ""),
        str(spec.get("variable") or ""),
        str(spec.get("file") or ""),
        int(_seconds(spec.get("lifetime")) or 0),
        str(raw.get("region") or ""),
    )


def faults(spec: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """Return what is wrong in a `spec`: key, message, hint."""
    found = []
    audience, source = spec.get("audience"), spec.get("source")
    if not isinstance(audience, str) or not audience:
        hint = "whom the token is for; for AWS mostly `spec: {audience: sts.amazonaws.com}`"
        found.append(("audience", "spec.audience is required", hint))
    if source and source not in _ci.SYSTEMS:
        known = ", ".join(_ci.SYSTEMS)
        hint = near(str(source), list(_ci.SYSTEMS)) or f"one of {known}; none: found by itself"
        found.append(("source", f'spec.source "{source}" is not known', hint))
    if source in _ci.NAMED and not spec.get("variable"):
        hint = "the variable that holds the token"
        if source == "gitlab":
            hint = "the name below `id_tokens:` in .gitlab-ci.yml"
        found.append(("source", f"source {source} needs spec.variable", hint))
    if source == "file" and not spec.get("file"):
        hint = "an absolute path, or `file: !env AWS_WEB_IDENTITY_TOKEN_FILE`"
        found.append(("source", "source file needs spec.file", hint))
    if spec.get("file") and not os.path.isabs(str(spec["file"])):
        hint = "programs that renew a session run in other directories"
        found.append(("file", "spec.file must be an absolute path", hint))
    for key, meant in (("file", ("file",)), ("variable", _ci.NAMED)):
        if spec.get(key) and source not in (None, "", *meant):
            hint = "take one of them away"
            found.append((key, f"spec.{key} has no meaning for source {source}", hint))
    if spec.get("lifetime") is not None:
        if source not in (None, "", "buildkite"):
            hint = f"the lifetime of the tokens of {source} is not ours to choose"
            found.append(("lifetime", f"spec.lifetime has no meaning for source {source}", hint))
        elif not _seconds(spec["lifetime"]):
            found.append(("lifetime", "spec.lifetime is a duration", "such as `10m`"))
    return found


def _seconds(given: Any) -> float | None:
    return _aws.go_duration(str(given)) if isinstance(given, str) else None


# ---- the token ------------------------------------------------------------------------------------


def obtain(spec: Spec, base: Credential | None, world: World) -> Credential:  # noqa: ARG001
    """Return the job's token, which is for the audience and has not ended.

    Raises: NeedsLogin where there is none, AuthError, ConfigError.
    """
    source = _source(spec, world)
    token = _READ[source](spec, world)
    text = token.text.strip()
    claims = _jwt.claims(text) if len(text) <= LIMIT else None
    if claims is None:
        raise AuthError(
            f"{spec.title}: {token.place} holds no OIDC token (a JWT)", hint=_advice(spec, source)
        )
    found = _jwt.audiences(claims)
    if spec.audience not in found:
        drawn = " and ".join(f'"{one}"' for one in found) or "nobody"
        raise AuthError(
            f'{spec.title}: {token.place} is for {drawn}, not for "{spec.audience}"',
            hint=[_advice(spec, source), "or write what it is for as `spec.audience`"],
        )
    ends = claims.get("exp")
    # A token that was made just now has not ended: then it is the clock that is wrong.
    if isinstance(ends, int | float) and ends <= world.now() and not token.fresh:
        ago = int(world.now() - ends)
        raise AuthError(f"{spec.title}: {token.place} ended {ago} s ago", hint=_AGE.get(source))
    return _jwt.credential(spec.name, text, spec.region, world.now())


_AGE = {
    "gitlab": "it lives as long as the job may run; is the clock of this machine right?",
    "bitbucket": "it lives as long as the step may run (`max-time`)",
    "circleci": "it lives for an hour: sign in earlier in the job, with a long `principal.duration`",
    "file": "whoever writes the file must renew it: is the kubelet, or what else does, running?",
}


def _source(spec: Spec, world: World) -> str:
    given = {"source": spec.source, "file": spec.file, "variable": spec.variable}
    found = _ci.sources(given, world.environ)
    if len(found) == 1:
        if found[0] in _ci.NAMED and not spec.variable:
            raise ConfigError(
                f"{spec.title}: source {found[0]} needs spec.variable",
                hint="the name below `id_tokens:` in .gitlab-ci.yml",
            )
        return found[0]
    if found:
        raise ConfigError(
            f"{spec.title}: this looks like several CI systems: {', '.join(found)}",
            hint="say which one: `spec: {source: …}`",
        )
    raise NeedsLogin(
        f"{spec.title}: no CI system was recognised here",
        hint="oidc signs in in jobs; elsewhere use another identity, or name spec.source",
    )


def _advice(spec: Spec, source: str) -> str:
    """Return what has to be written for the CI system, with this provider's own names."""
    return {
        "github": "the job needs `permissions: {id-token: write}`",
        "gitlab": f".gitlab-ci.yml: `id_tokens: {{{spec.variable}: {{aud: {spec.audience}}}}}`",
        "bitbucket": f"bitbucket-pipelines.yml: `oidc: {{audiences: [{spec.audience}]}}` in the step "
        "(`oidc: true` is for the audience that the repository's settings show)",
        "circleci": "the circleci program makes one for spec.audience in every job",
        "buildkite": "a job of Buildkite, with buildkite-agent in its PATH",
        "variable": f"let the CI system put a token for {spec.audience} into {spec.variable}",
        "file": f"in a pod: a projected `serviceAccountToken: {{audience: {spec.audience}}}`",
    }[source]


def _of_variable(name: str, spec: Spec, source: str, world: World) -> Token:
    text = world.environ.get(name, "")
    if not text:
        raise NeedsLogin(f"{spec.title}: {name} is not set", hint=[_advice(spec, source), _NEVER])
    return Token(text, f"the token in {name}")


def _github(spec: Spec, world: World) -> Token:
    return Token(github_oidc.requested(spec.name, spec.audience, world), "GitHub's token", True)


def _gitlab(spec: Spec, world: World) -> Token:
    return _of_variable(spec.variable, spec, "gitlab", world)


def _variable(spec: Spec, world: World) -> Token:
    return _of_variable(spec.variable, spec, "variable", world)


def _bitbucket(spec: Spec, world: World) -> Token:
    return _of_variable(_ci.SYSTEMS["bitbucket"].token, spec, "bitbucket", world)


def _circleci(spec: Spec, world: World) -> Token:
    """Return the job's own token if it is for the audience, else one that the CLI makes.

    Source: circleci.com/docs/oidc-tokens-with-custom-claims.
    """
    import json

    name = _ci.SYSTEMS["circleci"].token
    given = world.environ.get(name, "")
    if spec.audience in _jwt.audiences(_jwt.claims(given.strip()) or {}):
        return _of_variable(name, spec, "circleci", world)
    argv = ["circleci", "run", "oidc", "get", "--claims", json.dumps({"aud": spec.audience})]
    hint = f"{name} is for another audience, or not set; the program is in every job of CircleCI"
    return Token(_program.printed(spec.title, argv, world, hint), "CircleCI's token", True)


def _buildkite(spec: Spec, world: World) -> Token:
    """Source: buildkite.com/docs/agent/v3/cli-oidc; a token lives for 5 minutes by default."""
    argv = ["buildkite-agent", "oidc", "request-token", "--audience", spec.audience]
    if spec.lifetime:
        argv += ["--lifetime", str(spec.lifetime)]
    if not world.environ.get("BUILDKITE_AGENT_ACCESS_TOKEN"):
        raise NeedsLogin(
            f"{spec.title}: BUILDKITE_AGENT_ACCESS_TOKEN is not set",
            hint=["a job of Buildkite has it", _NEVER],
        )
    hint = "a container needs the agent's program and its BUILDKITE_* variables"
    return Token(_program.printed(spec.title, argv, world, hint), "Buildkite's token", True)


def _file(spec: Spec, world: World) -> Token:  # noqa: ARG001
    """Read the file anew each time: what writes it renews the token."""
    try:
        with open(spec.file, "rb") as stream:
            text = stream.read(LIMIT + 2).decode("ascii", "replace")
    except OSError as error:
        raise AuthError(
            f"{spec.title}: {spec.file} cannot be read: {error.strerror}",
            hint=_advice(spec, "file"),
        ) from error
    return Token(text, f"the token in {spec.file}")


_READ = {
    "github": _github,
    "gitlab": _gitlab,
    "bitbucket": _bitbucket,
    "circleci": _circleci,
    "buildkite": _buildkite,
    "variable": _variable,
    "file": _file,
}


def environment(spec: Spec, credential: Credential, world: World) -> EnvDelta:  # noqa: ARG001
    """Change nothing: the token is for the wrapper alone."""
    return EnvDelta()


def forget(spec: Spec, world: World, *, dry: bool = False) -> tuple[str, ...]:  # noqa: ARG001
    """Do nothing: the token is never kept."""
    return ()
