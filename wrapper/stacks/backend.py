"""The backend of a component: the chosen type's values and the derived ones.

A wrong derived value shows an empty state. Source: reference/atmos-stacks.md 3.7, 3.8.
"""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.merge import deep_merge
from wrapper.typed import Any, NamedTuple


class BackendError(StackError):
    """No usable values for the type of a `section`: `backend` or `remote_state_backend`."""

    section = ""


class Backend(NamedTuple):
    """What `describe component` shows of both backends."""

    kind: str
    values: Any
    remote_kind: str
    remote_values: Any


class Given(NamedTuple):
    """Merged input. `own` is the component's own `backend`, `globally` that of the type.

    `strategy` is that of the configuration: lists of a backend do not follow the component's.
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

    Raises: BackendError when the chosen type has no section, or one that is no map.
    """
    kind = given.kind
    values: Any = {}
    if kind:
        chosen = _chosen(given, "backend", kind, given.merged) if given.merged else {}
        values = derived(kind, dict(chosen), given)
    remote_kind = given.remote_kind or kind
    remote: Any = {}
    if remote_kind and given.remote:
        remote = _chosen(given, "remote_state_backend", remote_kind, given.remote)
    if remote_kind == kind:  # another type has nothing in common with the backend
        remote = deep_merge(values, remote, given.strategy)
    return Backend(kind, values, remote_kind, remote)


def _chosen(given: Given, section: str, kind: str, among: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the values of one type of a section. Raises: BackendError for none, and for no map."""
    found = among.get(kind)
    if isinstance(found, Mapping):
        return found
    who = f'component "{given.component}", stack "{given.stack}"'
    if kind in among:
        message = f"invalid {section} section: {who}: `{section}.{kind}` must be a map"
        error = BackendError(message, hint="without settings it is written `{}`")
    else:
        message = f"{section}_type does not match any key configured under {section}: {who}, "
        configured = ", ".join(sorted(among))
        error = BackendError(
            f'{message}{section}_type is "{kind}"', hint=f"configured: {configured}"
        )
    error.section = section
    raise error


def derived(kind: str, values: dict[str, Any], given: Given) -> dict[str, Any]:
    """Return one type's values with the part that keeps components apart."""
    name = given.state_name.replace("/", given.separator)
    if kind == "s3" and not _text(values.get("workspace_key_prefix")):
        values["workspace_key_prefix"] = name
    elif kind == "gcs" and not _text(values.get("prefix")):
        values["prefix"] = name
    elif kind == "azurerm":
        own, shared = given.own.get("azurerm"), given.globally.get("azurerm")
        prefix = shared.get("key") if isinstance(shared, Mapping) else None
        written = isinstance(own, Mapping) and isinstance(own.get("key"), str)
        # A base's key is kept, unless it says no more than the one for all.
        if not written and _text(values.get("key")) in ("", prefix):
            key = f"{name}.terraform.tfstate"
            values["key"] = f"{prefix}/{key}" if isinstance(prefix, str) else key
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
