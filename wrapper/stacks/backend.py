"""The backend of a component: the chosen type's values and the derived ones.

A wrong derived value shows an empty state. Source: reference/atmos-stacks.md 3.7, 3.8.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.merge import deep_merge
from wrapper.typed import Any, NamedTuple


class Backend(NamedTuple):
    """What `describe component` shows of both backends."""

    kind: str
    values: Any
    remote_kind: str
    remote_values: Any


class Given(NamedTuple):
    """Merged input. `own` is the component's own `backend`, `globally` that of the type.

    `state_name` is `metadata.name`, the base or the component, as it stands.
    """

    component: str
    stack: str
    kind: str
    merged: Mapping[str, Any]
    own: Mapping[str, Any]
    globally: Mapping[str, Any]
    remote_kind: str
    remote: Mapping[str, Any]
    state_name: str
    separator: str
    strategy: str


def resolve(given: Given) -> Backend:
    """Return the component's backends.

    Raises: StackError when the chosen type has no section.
    """
    merged = dict(given.merged)
    kind = given.kind
    values: Any = {}
    if kind and merged:
        if kind not in merged:
            raise _mismatch(given, "backend_type", kind, "backend")
        values = merged[kind]
        if values is None:
            values = {}
        if isinstance(values, Mapping):
            values = derived(kind, dict(values), given)
        merged[kind] = values
    remote_kind = given.remote_kind or kind
    both = deep_merge(merged, given.remote, given.strategy)
    remote: Any = {}
    if remote_kind and both:
        if remote_kind not in both:
            raise _mismatch(given, "remote_state_backend_type", remote_kind, "remote_state_backend")
        remote = both[remote_kind]
    return Backend(kind, values, remote_kind, remote)


def derived(kind: str, values: dict[str, Any], given: Given) -> dict[str, Any]:
    """Return one type's values with the part that keeps components apart."""
    name = given.state_name.replace("/", given.separator)
    if kind == "s3" and not _text(values.get("workspace_key_prefix")):
        values["workspace_key_prefix"] = name
    elif kind == "gcs" and not _text(values.get("prefix")):
        values["prefix"] = name
    elif kind == "azurerm":
        own = given.own.get("azurerm")
        if not (isinstance(own, Mapping) and isinstance(own.get("key"), str)):
            shared = given.globally.get("azurerm")
            prefix = _text(shared.get("key")) if isinstance(shared, Mapping) else ""
            key = f"{name}.terraform.tfstate"
            values["key"] = f"{prefix}/{key}" if prefix else key
    return values


def with_workspace(values: Any, workspace: str) -> Any:
    """Return `cloud` values with the token for the workspace replaced."""
    if isinstance(values, Mapping) and isinstance(values.get("workspaces"), Mapping):
        name = values["workspaces"].get("name")
        if isinstance(name, str):
            name = name.replace("{terraform_workspace}", workspace)
            return {**values, "workspaces": {**values["workspaces"], "name": name}}
    return values


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _mismatch(given: Given, key: str, kind: str, section: str) -> StackError:
    return StackError(
        f'{key} does not match any key configured under {section}: component "{given.component}", '
        f'stack "{given.stack}", {key} is "{kind}"',
        hint=f"configured: {', '.join(sorted(given.merged)) or 'none'}",
    )
