"""JSON Schema of the files that people write, for editors and for `validate stacks`.

The files are `config.json` (the parts of atmos.yaml that this program adds to or reads itself),
`manifest.json` (stack manifests) and `auth.json`, which both refer to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from wrapper.errors import UsageError, near
from wrapper.merge import UNSET
from wrapper.typed import Any, NamedTuple

NAMES = ("config", "manifest")
_TYPES: Mapping[str, type | tuple[type, ...]] = {
    "object": Mapping,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}
_WORDS = {
    "object": "a map",
    "array": "a list",
    "string": "text",
    "number": "a number",
    "boolean": "true or false",
}

Keys = tuple[str | int, ...]


class Finding(NamedTuple):
    """What does not fit: the key path in the file, and the message."""

    keys: Keys
    message: str


def load(name: str) -> dict[str, Any]:
    """Return a schema that stands on its own. Raises: UsageError for an unknown name."""
    if name not in NAMES:
        known = f"there are {' and '.join(NAMES)}"
        raise UsageError(f'there is no schema "{name}"', hint=near(name, NAMES) or known)
    schema = _read(name)
    shared = _read("auth")["definitions"]
    schema["definitions"] = {**schema.get("definitions", {}), **shared}
    found = _inlined(schema)
    assert isinstance(found, dict)
    return found


def findings(schema: Mapping[str, Any], value: Any) -> Iterator[Finding]:
    """Yield what does not fit the schema; a value that is only known later fits everywhere.

    Of JSON Schema it knows `type`, `enum`, `properties`, `additionalProperties`, `required`,
    `items`, `anyOf` and `$ref` into `definitions`.
    """
    yield from _check(schema, schema.get("definitions", {}), value, ())


def _check(
    schema: Mapping[str, Any], definitions: Mapping[str, Any], value: Any, keys: Keys
) -> Iterator[Finding]:
    schema = _resolved(schema, definitions)
    if _is_later(value):
        return
    if "anyOf" in schema:
        ways = [_resolved(one, definitions) for one in schema["anyOf"]]
        fitting = [one for one in ways if _fits(value, one)]
        if len(fitting) == 1:
            yield from _check(fitting[0], definitions, value, keys)
            return
        # With several, or none of the right type, only the types are told.
        schema = {"type": [kind for one in ways for kind in _types(one)]}
    if not _fits(value, schema):
        words = [_WORDS[kind] for kind in _types(schema) if kind in _WORDS]
        yield Finding(keys, f"{_title(keys)} must be {' or '.join(words)}")
        return
    if "enum" in schema and value not in schema["enum"]:
        known = [str(one) for one in schema["enum"] if one is not None]
        hint = near(str(value), known) or f"one of {', '.join(known)}"
        yield Finding(keys, f'{_title(keys)}: "{value}" is not known; {hint}')
        return
    if isinstance(value, Mapping):
        yield from _check_map(schema, definitions, value, keys)
    elif isinstance(value, list) and "items" in schema:
        for position, item in enumerate(value):
            yield from _check(schema["items"], definitions, item, (*keys, position))


def _check_map(
    schema: Mapping[str, Any],
    definitions: Mapping[str, Any],
    value: Mapping[str, Any],
    keys: Keys,
) -> Iterator[Finding]:
    known = schema.get("properties", {})
    for name in schema.get("required", ()):
        if name not in value:
            yield Finding(keys, f"{_title(keys)} needs `{name}`")
    others = schema.get("additionalProperties")
    for name, item in value.items():
        below = known.get(name, others)
        if below is not None:
            yield from _check(below, definitions, item, (*keys, name))


def _resolved(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> Mapping[str, Any]:
    if "$ref" not in schema:
        return schema
    found: Mapping[str, Any] = definitions[schema["$ref"].rpartition("/")[2]]
    return found


def _types(schema: Mapping[str, Any]) -> list[str]:
    """Return the types that a schema names; none means any."""
    types: str | list[str] = schema.get("type", [])
    return [types] if isinstance(types, str) else types


def _fits(value: Any, schema: Mapping[str, Any]) -> bool:
    types = _types(schema)
    return not types or any(_is(value, kind) for kind in types)


def _is(value: Any, kind: str) -> bool:
    if kind == "number":
        return isinstance(value, int | float) and not isinstance(value, bool)
    return isinstance(value, _TYPES[kind])


def _is_later(value: Any) -> bool:
    """Say whether only a run can tell what a value is: a YAML function, a template, `!unset`."""
    if isinstance(value, str):
        return value.startswith("!") or "{{" in value
    return value is UNSET or not isinstance(value, Mapping | list | bool | int | float | None)


def _title(keys: Keys) -> str:
    return f"`{'.'.join(map(str, keys))}`" if keys else "the file"


def _read(name: str) -> dict[str, Any]:
    import json
    import os

    path = os.path.join(os.path.dirname(__file__), f"{name}.json")
    with open(path, encoding="utf-8") as stream:
        found: dict[str, Any] = json.load(stream)
    return found


def _inlined(value: Any) -> Any:
    """Return a schema whose references all point into itself."""
    if isinstance(value, dict):
        return {
            key: item.removeprefix("auth.json") if key == "$ref" else _inlined(item)
            for key, item in value.items()
        }
    return [_inlined(item) for item in value] if isinstance(value, list) else value
