"""The guard against a state that moved: where it was at the last run, and where it would be now."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping

from wrapper import files
from wrapper.errors import StackError
from wrapper.terraform import workspace
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component

# What says where the state is, per backend type; other backends: everything that is configured.
_PLACE = {
    "s3": ("bucket", "key", "workspace_key_prefix"),
    "gcs": ("bucket", "prefix"),
    "azurerm": ("storage_account_name", "container_name", "key"),
    "local": ("path", "workspace_dir"),
    "remote": ("hostname", "organization", "workspaces"),
    "cloud": ("hostname", "organization", "workspaces"),
    "http": ("address",),
}
# Sub-commands that read or write a state.
_TOUCHING = (
    "plan apply deploy destroy refresh import output show state taint untaint console "
    "force-unlock workspace shell init test graph"
).split()


def place(component: Component) -> dict[str, str]:
    """Return where the state of a component is: backend type, its address, the workspace."""
    kind = str(component.section.get("backend_type") or "")
    found = {"backend_type": kind, "workspace": workspace.name(component)}
    settings = component.section.get("backend")
    if isinstance(settings, Mapping):
        for key in _PLACE.get(kind, ()):
            if settings.get(key) is not None:
                value = settings[key]
                found[key] = value if isinstance(value, str) else json.dumps(value, sort_keys=True)
    return found


def check(
    component: Component,
    config: Config,
    environ: Mapping[str, str],
    subcommand: str,
    *,
    accept: bool = False,
) -> None:
    """Stop when the state would be looked for in another place than at the last run.

    A state that is looked for in the wrong place is empty, and applying then builds everything a
    second time, or destroys it. `accept` takes the new place for right.

    Raises: StackError with both values. Source: design 10.
    """
    if subcommand not in _TOUCHING:
        return
    path = _path(component, config, environ)
    before, now = _read(path), place(component)
    changed = [key for key in sorted({*before, *now}) if before.get(key) != now.get(key)]
    if before and changed and not accept:
        told = "\n".join(
            f"  {key}: {before.get(key, '(not set)')} -> {now.get(key, '(not set)')}"
            for key in changed
        )
        kind = now["backend_type"]
        places = (component.where("backend", kind, key) for key in changed)
        at = next(filter(None, places), None) or component.where("backend_type")
        raise StackError(
            f'the state of "{component.name}" in the stack "{component.stack}" would be in '
            f"another place than at the last run:\n{told}",
            at=at,
            hint="move the state first, or say --accept-state-change if it is right",
        )
    if before != now:
        files.write_atomic(path, json.dumps(now, sort_keys=True).encode())


def _path(component: Component, config: Config, environ: Mapping[str, str]) -> str:
    root = os.path.realpath(config.base_path or config.dir or ".")
    named = json.dumps([root, component.stack, component.name])
    digest = hashlib.sha256(named.encode()).hexdigest()
    return os.path.join(files.state_dir(environ), "places", f"{digest[:32]}.json")


def _read(path: str) -> dict[str, Any]:
    raw = files.read_private(path)
    try:
        found = json.loads(raw) if raw else {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
