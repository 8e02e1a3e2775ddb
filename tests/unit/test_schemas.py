"""The schemas: what they accept, what they refuse, and that they know what the program knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import jsonschema
import pytest

from wrapper import schemas
from wrapper.auth import kinds, rules
from wrapper.config.schema import AUTH_NAMED
from wrapper.errors import UsageError
from wrapper.merge import UNSET
from wrapper.stacks import provenance
from wrapper.stacks.sections import GLOBAL_METADATA


def told(name: str, value: Any) -> list[tuple[schemas.Keys, str]]:
    """Return the findings in a file's data."""
    return [tuple(one) for one in schemas.findings(schemas.load(name), value)]  # type: ignore[misc]


def references(value: Any) -> Iterator[str]:
    """Yield every `$ref` of a schema."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key == "$ref":
                yield item
            else:
                yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


@pytest.mark.parametrize("name", schemas.NAMES)
def test_a_schema_stands_on_its_own(name: str) -> None:
    schema = schemas.load(name)
    known = {f"#/definitions/{one}" for one in schema["definitions"]}
    assert set(references(schema)) - known == set()


@pytest.mark.parametrize("name", schemas.NAMES)
def test_a_schema_is_valid_json_schema(name: str) -> None:
    jsonschema.Draft7Validator.check_schema(schemas.load(name))


def test_an_unknown_schema_is_an_error() -> None:
    with pytest.raises(UsageError, match='no schema "manifes"') as caught:
        schemas.load("manifes")
    assert caught.value.hints == ('did you mean "manifest"?',)


@pytest.mark.parametrize(
    ("value", "keys", "message"),
    [
        ([], (), "the file must be a map"),
        ({"vars": 1}, ("vars",), "`vars` must be a map"),
        ({"import": [1]}, ("import", 0), "`import.0` must be text or a map"),
        ({"import": "a"}, ("import",), "`import` must be a list"),
        ({"import": ["a", {"context": {}}]}, ("import", 1), "`import.1` needs `path`"),
        (
            {"import": [{"path": "a", "context": 1}]},
            ("import", 0, "context"),
            "`import.0.context` must be a map",
        ),
        (
            {"components": {"terraform": {"c": {"metadata": {"enabled": 1}}}}},
            ("components", "terraform", "c", "metadata", "enabled"),
            "`components.terraform.c.metadata.enabled` must be true or false or text",
        ),
        (
            {"auth": {"identities": {"a": {"kind": "aws/usr"}}}},
            ("auth", "identities", "a", "kind"),
            '`auth.identities.a.kind`: "aws/usr" is not known; did you mean "aws/user" or "aws/emulator"?',
        ),
    ],
)
def test_what_does_not_fit_a_manifest_is_told(value: Any, keys: schemas.Keys, message: str) -> None:
    assert told("manifest", value) == [(keys, message)]


@pytest.mark.parametrize(
    "value",
    [
        None,
        {},
        {"import": None, "anything": [1], "components": None},
        {"import": ["a", {"path": "b", "context": {"x": 1}}], "name": "dev"},
        {"vars": "!include vars.yaml", "settings": "{{ .x }}", "env": UNSET},
        {"components": {"terraform": {"c": {}}, "helmfile": {"d": {"vars": 1}}}},
        {"auth": {"identities": {"a": {"default": True}}}},
    ],
)
def test_what_fits_a_manifest(value: Any) -> None:
    assert told("manifest", value) == []


def test_settings_of_this_program_are_checked() -> None:
    assert told("config", {"wrap": {"delivery": "file"}, "stacks": {"x": 1}}) == [
        (("wrap", "delivery"), '`wrap.delivery`: "file" is not known; did you mean "files"?')
    ]


def test_keys_of_auth_are_those_of_the_program() -> None:
    known = schemas.load("config")["definitions"]
    assert set(known["auth"]["properties"]) == set(rules.SECTION_KEYS)
    assert set(known["provider"]["properties"]) == set(rules.PROVIDER_KEYS)
    assert set(known["identity"]["properties"]) == {
        *rules.IDENTITY_KEYS,
        *AUTH_NAMED["identities"],
    }
    assert set(known["identity"]["properties"]["kind"]["enum"]) == {*kinds.IDENTITY_KINDS, None}
    assert set(known["provider"]["properties"]["kind"]["enum"]) >= set(kinds.PROVIDER_KINDS)


def test_sections_of_manifests_are_those_of_the_program() -> None:
    schema = schemas.load("manifest")
    component = set(schema["definitions"]["component"]["properties"])
    assert component == {*provenance.SECTIONS, "component", "overrides"}
    assert set(schema["properties"]["metadata"]["properties"]) == GLOBAL_METADATA
