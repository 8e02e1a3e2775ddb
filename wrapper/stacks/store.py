"""Stores of `atmos.yaml`: where components keep values for each other, read and written.

Source: reference/atmos-stacks.md 3.10; `stores` of Atmos.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from wrapper.errors import ConfigError, Location, StackError, near
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config

# Older names of kinds. A kind itself may stand under `type`, too.
OLDER = {
    "aws-ssm-parameter-store": "aws/ssm",
    "aws-secrets-manager": "aws/asm",
    "aws/secretsmanager": "aws/asm",
    "azure-key-vault": "azure/keyvault",
    "google-secret-manager": "gcp/secretmanager",
    "google/secretmanager": "gcp/secretmanager",
    "gsm": "gcp/secretmanager",
    "hashicorp-vault": "hashicorp/vault",
}
# What each kind puts between the parts of a key, and the option that it cannot do without.
KINDS = {
    "aws/ssm": ("/", "region"),
    "aws/asm": ("/", "region"),
    "azure/keyvault": ("-", "vault_url"),
    "gcp/secretmanager": ("_", "project_id"),
}
REFUSED = {
    "artifactory": "keep the value in another store",
    "github/actions": "GitHub does not give secrets back",
    "hashicorp/vault": "keep the value in another store",
    "keychain": "use !env, or `auth user configure` for keys of IAM users",
    "onepassword": "use `!exec op read …`",
    "redis": "use `!exec redis-cli get …`",
}
_SECRET = ("github/actions", "keychain", "onepassword")


class Store(NamedTuple):
    """One entry of `stores`. `identity` '' stands for the component's own."""

    name: str
    kind: str
    identity: str
    secret: bool
    options: Mapping[str, Any]
    at: Location | None


class Slot(NamedTuple):
    """Where a value is kept; a secret that is shared has no component, or neither."""

    stack: str
    component: str
    key: str


class Missing(StackError):
    """The store works, and holds nothing there."""


# Gives the environment of an identity by name; '' asks for that of the component.
Environ = Callable[[str], Mapping[str, str]]


def find(config: Config, name: str, at: Location | None) -> Store:
    """Return a store by name. Raises: StackError where it is used, ConfigError where it is wrong."""
    stores = config.data.get("stores")
    stores = stores if isinstance(stores, Mapping) else {}
    found = next((key for key in stores if key == name), None) or next(
        (key for key in stores if str(key).lower() == name.lower()), None
    )
    if found is None:
        raise StackError(
            f'the store "{name}" is not in atmos.yaml',
            at=at,
            hint=near(name, [str(key) for key in stores])
            or f"stores: {', '.join(sorted(map(str, stores))) or 'none'}",
        )
    given = stores[found]
    there = config.where("stores", str(found))
    if not isinstance(given, Mapping):
        raise ConfigError(f'the store "{name}" must be a map', at=there)
    written = str(given.get("kind") or given.get("type") or "")
    kind = OLDER.get(written, written)
    places = [one for one in (at, there) if one is not None]
    if kind in REFUSED:
        raise StackError(
            f'the store "{name}" is of the kind {kind}, which is not supported',
            at=places,
            hint=REFUSED[kind],
        )
    if kind not in KINDS:
        known = ", ".join(sorted(KINDS))
        raise ConfigError(
            f'the store "{name}" has no known kind: "{written}"',
            at=there,
            hint=near(kind, [*KINDS, *OLDER]) or f"known: {known}",
        )
    options = given.get("options")
    options = dict(options) if isinstance(options, Mapping) else {}
    if kind == "azure/keyvault" and not options.get("vault_url"):
        options["vault_url"] = options.get("endpoint") or ""
    needed = KINDS[kind][1]
    if not options.get(needed):
        raise ConfigError(f'the store "{name}" needs the option {needed}', at=there)
    secret = given.get("secret") is True or kind in _SECRET
    return Store(str(found), kind, str(given.get("identity") or ""), secret, options, there)


def full_key(store: Store, slot: Slot) -> str:
    """Return the name by which the cloud knows a value that belongs to a component.

    Stacks are split at the store's `stack_delimiter` (`-`), components at `/`.
    """
    joint = KINDS[store.kind][0]
    delimiter = store.options.get("stack_delimiter")
    delimiter = "-" if delimiter is None else str(delimiter)
    parts = [str(store.options.get("prefix") or "")]
    if slot.stack:
        # An empty delimiter splits between all characters, as in Go.
        parts += slot.stack.split(delimiter) if delimiter else list(slot.stack)
    if slot.component:
        parts += slot.component.split("/")
    joined = joint.join([*parts, slot.key]).replace("//", "/")
    if store.kind == "azure/keyvault":
        return _vault_name(joined)
    if store.kind == "gcp/secretmanager":
        return joined.replace("/", "_").replace("__", "_").strip("_")
    return joined


def own_key(store: Store, key: str) -> str:
    """Return the name by which the cloud knows a key that is given as it is, below the prefix."""
    prefix = str(store.options.get("prefix") or "")
    if store.kind == "azure/keyvault":
        return _vault_name(key)
    found = f"{prefix}{KINDS[store.kind][0]}{key}" if prefix else key
    if store.kind == "aws/ssm" and not found.startswith("/"):
        found = f"/{found}"
    return found


def _vault_name(name: str) -> str:
    return re.sub("-+", "-", re.sub("[^0-9a-zA-Z-]", "-", name)).strip("-") or "default"


def get(store: Store, wanted: Slot | str, environ: Environ) -> Any:
    """Return a value by its slot, or by a key as it is; JSON is decoded, other text stays text.

    Raises: Missing when it is not there; StackError with the cloud's own words.
    """
    return decoded(
        get_text(store, wanted, environ), secret=store.secret and store.kind[:3] == "aws"
    )


def get_text(store: Store, wanted: Slot | str, environ: Environ) -> str:
    """Return the text of a value as the cloud holds it. Raises: as `get`."""
    from wrapper.stacks import cloud

    name = own_key(store, wanted) if isinstance(wanted, str) else full_key(store, wanted)
    found = cloud.ask(_question(store, "get", name), environ(store.identity))
    if found is None:
        raise Missing(f'the store "{store.name}" has no "{name}"')
    text: str = found
    return text


def put(store: Store, slot: Slot, value: Any, environ: Environ) -> None:
    """Keep a value, as JSON; texts of a secret store as they are.

    Raises: StackError with the cloud's own words, or for a value that is null.
    """
    from wrapper.stacks import cloud

    if value is None:
        raise StackError(f'the store "{store.name}" cannot keep null: {slot.key}')
    question = {**_question(store, "put", full_key(store, slot)), "text": _encoded(store, value)}
    cloud.ask(question, environ(store.identity))


def _question(store: Store, verb: str, name: str) -> dict[str, Any]:
    return {
        "what": f"{store.kind} {verb}",
        "name": name,
        "options": dict(store.options),
        "secret": store.secret,
    }


def _encoded(store: Store, value: Any) -> str:
    import json

    if isinstance(value, str):
        if store.secret and value:
            return value
        bare = value.strip()
        if store.kind == "aws/asm" and bare[:1] in ("{", "[") and _is_json(bare):
            return bare
    text = json.dumps(value, separators=(",", ":"), sort_keys=True, ensure_ascii=False)
    # As Go writes it; these stand in texts only.
    for mark in "<>&":
        text = text.replace(mark, f"\\u{ord(mark):04x}")
    return text


def _is_json(text: str) -> bool:
    import json

    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def decoded(text: str, *, secret: bool = False) -> Any:
    """Return a text of a store as the value that it is; a bare number of a secret stays text."""
    import json

    try:
        found = json.loads(text)
    except ValueError:
        return text
    return text if secret and not isinstance(found, str | dict | list) else found
