from __future__ import annotations

import json
import os
from typing import Any

import pytest

from wrapper import auth, env
from wrapper.world import World

ROLES = (
    "identities:\n"
    "  ci:\n    kind: aws/user\n"
    "    credentials: {access_key_id: !env KEY, secret_access_key: !env SECRET, region: us-west-2}\n"
    '  Prod: {kind: aws/assume-role, via: {identity: ci}, principal: {assume_role: "arn:r"},'
    " env: [{key: TEAM, value: core}]}\n"
)
KEYS = {"KEY": "AKIA1", "SECRET": "hush"}


def of(check: Any, outside: World, **environ: str) -> tuple[Any, World]:
    values = {**outside.environ, **KEYS, **environ}
    return check(ROLES, environ={**KEYS, **environ}), outside._replace(environ=values)


def test_a_program_gets_pointers_its_region_and_its_own_variables(
    check: Any, outside: World
) -> None:
    found, world = of(check, outside)
    delta = auth.environment(found, "Prod", world)
    directory = os.path.dirname(delta.set["AWS_CONFIG_FILE"])
    assert dict(delta.set) == {
        "AWS_CONFIG_FILE": f"{directory}/config",
        "AWS_SHARED_CREDENTIALS_FILE": f"{directory}/credentials",
        "AWS_PROFILE": "Prod",
        "AWS_REGION": "us-west-2",
        "AWS_DEFAULT_REGION": "us-west-2",
        "AWS_SDK_LOAD_CONFIG": "1",
        "AWS_EC2_METADATA_DISABLED": "true",
        "TEAM": "core",
    }
    assert delta.files[f"{directory}/credentials"] == b""
    assert {"KEY", "SECRET", "AWS_ACCESS_KEY_ID"} <= delta.unset


def test_the_files_are_a_pure_function_of_the_section(check: Any, outside: World) -> None:
    found, world = of(check, outside)
    first = auth.environment(found, "Prod", world)
    later = auth.environment(found, "ci", world._replace(now=lambda: 1_900_000_000.0))
    assert first.files == later.files


def test_a_profile_stands_under_its_name_and_in_lower_case(check: Any, outside: World) -> None:
    found, world = of(check, outside)
    delta = auth.environment(found, "Prod", world)
    config = delta.files[delta.set["AWS_CONFIG_FILE"]].decode()
    titles = [line for line in config.splitlines() if line.startswith("[")]
    assert titles == ["[profile Prod]", "[profile ci]", "[profile prod]"]


def test_no_secret_is_in_any_file(check: Any, outside: World) -> None:
    found, world = of(check, outside)
    files = auth.environment(found, "Prod", world).files
    assert [path for path, data in files.items() if b"hush" in data or b"AKIA1" in data] == []
    chains = json.loads(next(data for path, data in files.items() if path.endswith("chains.json")))
    (user,) = [
        link
        for chain in chains["chains"].values()
        if chain["identity"] == "ci"
        for link in chain["links"]
    ]
    assert user["raw"]["credentials"] == {
        "access_key_id": {"variable": "KEY"},
        "secret_access_key": {"variable": "SECRET"},
        "region": "us-west-2",
    }


def test_an_ambient_identity_keeps_the_shell(check: Any, outside: World) -> None:
    found = check("identities: {here: {kind: ambient}}")
    delta = auth.environment(found, "here", outside)
    assert (dict(delta.set), delta.unset & env.SCRUB["aws"].names) == ({}, frozenset())


@pytest.mark.parametrize(
    ("cloud", "kept"),
    [
        (
            "aws",
            ("AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_CA_BUNDLE", "AWS_MAX_ATTEMPTS",
             "AWS_RETRY_MODE", "AWS_STS_REGIONAL_ENDPOINTS", "AWS_REGION", "AWS_PAGER"),
        ),
        ("azure", ("AZURE_HTTP_USER_AGENT", "REQUESTS_CA_BUNDLE", "TF_VAR_x", "HTTPS_PROXY")),
        ("gcp", ("CLOUDSDK_PYTHON", "CLOUDSDK_PROXY_ADDRESS", "NO_PROXY", "SSL_CERT_FILE")),
    ],
)  # fmt: skip
def test_settings_that_sign_nothing_are_kept(cloud: str, kept: tuple[str, ...]) -> None:
    environ = dict.fromkeys(kept, "x")
    assert env.scrubbed(cloud, environ) & frozenset(kept) == frozenset()


@pytest.mark.parametrize(
    ("cloud", "names"),
    [
        ("aws", ("AWS_CONTAINER_NEW", "AWS_SSO_ANYTHING")),
        ("azure", ("ARM_OIDC_NEW", "ARM_CLIENT_CERTIFICATE_NEW")),
        ("gcp", ("CLOUDSDK_AUTH_NEW",)),
    ],
)
def test_families_of_names_are_met_in_the_environment(cloud: str, names: tuple[str, ...]) -> None:
    assert frozenset(names) <= env.scrubbed(cloud, dict.fromkeys(names, "x"))
