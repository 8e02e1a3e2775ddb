"""Values of another type than their field's: what is converted, what is refused, and where."""

from __future__ import annotations

from typing import Any

import pytest

from wrapper.auth import decoded
from wrapper.auth.model import FATAL, Problem

SSO = "kind: aws/iam-identity-center, start_url: 'https://x/start', region: r"
WIF = "spec: {project_number: '1', workload_identity_pool: p, workload_identity_provider: q"
MOCK = "kind: mock, via: {provider: m}"


@pytest.mark.parametrize(
    ("field", "given", "wanted"),
    [
        ("region", 5, "5"),
        ("region", True, "1"),
        ("region", 1.0, "1"),
        ("region", 0.5, "0.5"),
        ("default", "T", True),
        ("default", 2, True),
        ("default", 0.0, False),
        ("default", "", False),
        ("tags", "a,b", ["a", "b"]),
        ("tags", 5, ["5"]),
        ("tags", [1, None, "x"], ["1", "x"]),
        ("tags", {}, []),
        ("tags", "", []),
        ("spec", [], {}),
        ("session", {"duration": 3600}, {"duration": "3600"}),
        ("console", None, None),
    ],
)
def test_a_value_is_converted_as_atmos_does(field: str, given: Any, wanted: Any) -> None:
    assert decoded.decoded({field: given}, decoded.PROVIDER) == ({field: wanted}, [])


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("logs: x", "auth.logs must be a map at 1:1"),
        ("logs: {level: [Info]}", "auth.logs.level must be text at 1:8"),
        ("keyring: file", "auth.keyring must be a map at 1:1"),
        ("keyring: {type: file, spec: x}", "auth.keyring.spec must be a map at 1:23"),
        (
            "console: {isolated: yes}",
            'auth.console.isolated must be true or false, not "yes" at 1:11',
        ),
        ("integrations: x", "auth.integrations must be a map at 1:1"),
        ("integrations: {a: {via: x}}", "auth.integrations.a.via must be a map at 1:20"),
        (f"providers: {{p: {{{SSO}, tags: [[a]]}}}}", 'provider "p": tags must be a list of texts'),
        (f"providers: {{p: {{{SSO}, spec: x}}}}", 'provider "p": spec must be a map'),
        (
            f"providers: {{p: {{{SSO}, auto_provision_identities: 'yes'}}}}",
            'provider "p": auto_provision_identities must be true or false, not "yes"',
        ),
        ("providers: {p: {kind: [mock]}}", 'provider "p": kind must be text'),
        ("providers: {p: {kind: aws/saml, region: r, url: [x]}}", 'provider "p": url must be text'),
        (f"identities: {{i: {{{MOCK}, alias: [a]}}}}", 'identity "i": alias must be text'),
        (
            f"identities: {{i: {{{MOCK}, session: {{duration: []}}}}}}",
            'identity "i": session.duration must be text',
        ),
        ("identities: {i: {kind: mock, via: m}}", 'identity "i": via must be a map'),
        (
            "identities: {i: {kind: mock, via: {provider: [m]}}}",
            'identity "i": via.provider must be text',
        ),
    ],
)
def test_what_cannot_be_read_breaks_every_command_and_is_told_once(
    check: Any, text: str, told: str
) -> None:
    text = text if text.startswith("providers") else f"{text}\nproviders: {{m: {{kind: mock}}}}"
    (found,) = check(text).problems
    assert _told(found).startswith(told)
    assert found.weight == FATAL


def _told(problem: Problem) -> str:
    (at,) = problem.error.at
    return f"{problem.error.message} at {str(at).partition('.yaml:')[2]}"


@pytest.mark.parametrize(
    ("entry", "told"),
    [
        ("providers: {x: {kind: gcp/adc, spec: {project_id: 5}}}", "spec.project_id must be text"),
        (
            "providers: {x: {kind: gcp/adc, spec: {scopes: a}}}",
            "spec.scopes must be a list of texts",
        ),
        (
            f"providers: {{x: {{kind: gcp/workload-identity-federation, {WIF}, token_source: x}}}}}}",
            "spec.token_source must be a map",
        ),
        (
            "identities: {x: {kind: ambient, env: [{key: A, value: {}}]}}",
            "the value of A in env must be text",
        ),
        (
            "providers: {x: {kind: aws/saml, region: r, url: 'https://a b/x'}}",
            'url "https://a b/x" has no scheme',
        ),
        (
            f"providers: {{x: {{{SSO}, spec: {{files: {{base_path: ' '}}}}}}}}",
            "spec.files.base_path ' ' is no path",
        ),
    ],
)
def test_what_a_kind_cannot_use(check: Any, entry: str, told: str) -> None:
    (found,) = check(entry).problems
    assert told in found.error.message
