"""Which workspace a run uses, and when selecting it again would change nothing."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.stacks import Component

# Backends whose workspaces come into being on first use, so that a select that was skipped and
# one that ran end in the same place. `remote` and `cloud` ask a server that may say otherwise.
_ON_FIRST_USE = ("local", "s3", "gcs", "azurerm")


def name(component: Component) -> str:
    """Return the workspace of a component. Source: reference/atmos-stacks.md 3.13."""
    return str(component.section.get("workspace") or "default")


def applies(
    component: Component, subcommand: str, words: tuple[str, ...], tf_workspace: str
) -> bool:
    """Say whether a run selects the workspace before the main command.

    Source: reference/atmos-stacks.md 5.5.
    """
    if subcommand in ("init", "providers") or (subcommand == "workspace" and words):
        return False
    return component.section.get("backend_type") != "http" and not tf_workspace


def selected(data: str) -> str:
    """Return the workspace that Terraform has written down in its data directory."""
    try:
        with open(os.path.join(data, "environment"), encoding="utf-8") as stream:
            return stream.read().strip() or "default"
    except OSError:
        return "default"


def is_settled(component: Component, data: str, record: Mapping[str, object]) -> bool:
    """Say whether the workspace is surely selected already.

    That is so when our own last select in this data directory was of this name, nothing that
    `init` depends on has changed since (the caller has seen to that), Terraform's own record still
    names it, and the backend is one that makes a workspace on first use.
    """
    wanted = name(component)
    return (
        component.section.get("backend_type") in _ON_FIRST_USE
        and record.get("workspace") == wanted
        and selected(data) == wanted
    )


def forget(data: str) -> None:
    """Remove Terraform's record, as before `init`: it refuses a workspace that is not there."""
    from wrapper.files import remove

    remove(os.path.join(data, "environment"))
