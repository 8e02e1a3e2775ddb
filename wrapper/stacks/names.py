"""Names of stacks and of Terraform workspaces.

Source: reference/atmos-stacks.md 3.2, 3.13.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from wrapper.errors import StackError, near
from wrapper.stacks import template
from wrapper.stacks.settings import Settings
from wrapper.typed import Any

TOKENS = ("namespace", "tenant", "environment", "stage")
CONTEXT = (*TOKENS, "region")


def path_name(path: str, stacks_dir: str) -> str:
    """Return a manifest's path from the stacks directory, without its last extension."""
    relative = os.path.relpath(path, stacks_dir)
    for extension in (".yaml", ".yml"):
        if relative.endswith(extension):
            return relative[: -len(extension)]
    return relative


def import_name(path: str, stacks_dir: str) -> str:
    """Return a file's name in `imports` and `deps`: its path without the last extension.

    One that was fetched has its address.
    """
    if "/atmos-wrap/remote/" in path:
        from wrapper.remote import store as remote

        return remote.origin(path) or path
    return os.path.splitext(os.path.relpath(path, stacks_dir))[0]


def stack_name(
    section: Mapping[str, Any], settings: Settings, path: str, root_name: Any
) -> str | None:
    """Return the name of the stack that a component of one manifest belongs to.

    `section` is the component's; None when a part of the pattern has no value.
    Raises: StackError when the name template cannot be rendered.
    """
    if isinstance(root_name, str) and root_name:
        return root_name
    return context_name(section, settings, path)


def context_name(section: Mapping[str, Any], settings: Settings, path: str) -> str | None:
    """Return the name by template, pattern or path: without the manifest's own `name`."""
    if settings.name_template:
        return template.render(settings.name_template, section, what="stacks.name_template")
    if settings.name_pattern:
        return from_pattern(settings.name_pattern, section.get("vars"))
    return path_name(path, settings.stacks_dir)


def from_pattern(pattern: str, values: Any) -> str | None:
    """Return the values of a pattern's tokens joined by `-`; None if one is missing or no text.

    Parts of a pattern that are no token of ours, `{region}` among them, count for nothing.
    """
    found = []
    for part in pattern.split("-"):
        token = part[1:-1]
        if part != "{" + token + "}" or token not in TOKENS:
            continue
        value = values.get(token) if isinstance(values, Mapping) else None
        if not isinstance(value, str) or not value:
            return None
        found.append(value)
    return "-".join(found)


def missing_tokens(pattern: str, values: Any) -> list[str]:
    """Return the tokens of a pattern for which the variables have no usable value."""
    given = values if isinstance(values, Mapping) else {}
    return [
        token
        for token in TOKENS
        if "{" + token + "}" in pattern
        and not (isinstance(given.get(token), str) and given.get(token))
    ]


def workspace(
    section: Mapping[str, Any],
    settings: Settings,
    prefix: str,
    component: str,
    base: str,
    *,
    named: bool = False,
) -> str:
    """Return the Terraform workspace of a component.

    `prefix` is the stack's name, `base` the own, inherited or legacy `metadata.component` or ''.
    `named` says that the name comes from the manifest's own `name`.
    Raises: StackError when a workspace template cannot be rendered.
    """
    if not settings.workspaces or section.get("backend_type") == "http":
        return "default"
    metadata = section.get("metadata")
    metadata = metadata if isinstance(metadata, Mapping) else {}
    written = metadata.get("terraform_workspace_template")
    if isinstance(written, str) and written:
        found = template.render(written, section, what="terraform_workspace_template")
        return found.replace("/", "-")
    written = metadata.get("terraform_workspace_pattern")
    if isinstance(written, str) and written:
        by_pattern = bool(settings.name_pattern) and not settings.name_template and not named
        return _from_context(written, section, component, base, by_pattern).replace("/", "-")
    written = metadata.get("terraform_workspace")
    if isinstance(written, str) and written:
        return written.replace("/", "-")
    name = prefix if not base or base == component else f"{prefix}-{component}"
    return name.replace("/", "-")


def _from_context(
    pattern: str, section: Mapping[str, Any], component: str, base: str, filled: bool
) -> str:
    """Return a workspace pattern with its tokens replaced, including Atmos's empty ones."""
    values = section.get("vars") if filled else {}
    values = values if isinstance(values, Mapping) else {}
    found = {name: values.get(name) for name in CONTEXT}
    attributes = values.get("attributes")
    if isinstance(attributes, list):
        found["attributes"] = "-".join(map(template.go_text, attributes))
    else:
        found["attributes"] = ""
    found |= {"component": component, "base-component": base}
    found |= dict.fromkeys(("component-path", "workspace", "terraform_workspace"), "")

    def value_of(match: re.Match[str]) -> str:
        if match.group(1) not in found:
            return match.group(0)
        value = found[match.group(1)]
        return value if isinstance(value, str) else ""

    return re.sub(r"\{([a-z_-]+)\}", value_of, pattern)


def integrations(section: Mapping[str, Any], prefix: str, component: str) -> dict[str, str]:
    """Return the names that Spacelift and Atlantis know a component by, as far as it uses them.

    `prefix` is the stack's name. Source: reference/atmos-stacks.md 3.6, 6.1.
    """
    settings, found = section.get("settings"), dict[str, str]()
    known = settings if isinstance(settings, Mapping) else {}
    spacelift = known.get("spacelift")
    if isinstance(spacelift, Mapping) and spacelift.get("workspace_enabled") is True:
        written = spacelift.get("stack_name_pattern")
        name = _filled(written, section, component) if isinstance(written, str) else ""
        found["spacelift_stack"] = (name or f"{prefix}-{component}").replace("/", "-")
    atlantis = known.get("atlantis")
    project = atlantis.get("project_template") if isinstance(atlantis, Mapping) else None
    written = project.get("name") if isinstance(project, Mapping) else None
    if isinstance(written, str) and written:
        found["atlantis_project"] = _filled(written, section, component).replace("/", "-")
    return found


def without_workspace(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Return the settings of an abstract component: it has no workspace in Spacelift."""
    spacelift = settings.get("spacelift")
    if not isinstance(spacelift, Mapping):
        return dict(settings)
    rest = {key: value for key, value in spacelift.items() if key != "workspace_enabled"}
    return {**settings, "spacelift": rest}


def _filled(pattern: str, section: Mapping[str, Any], component: str) -> str:
    values = section.get("vars")
    values = values if isinstance(values, Mapping) else {}
    for name in CONTEXT:
        value = values.get(name)
        pattern = pattern.replace("{" + name + "}", value if isinstance(value, str) else "")
    return pattern.replace("{component}", component)


def not_there(name: str, stack: str, names: list[str]) -> StackError:
    """Return the error for a component that a stack does not have."""
    return StackError(
        f"invalid component: could not find the component `{name}` in the stack `{stack}`",
        hint=near(name, [one for one in names if one != name])
        or "check the names, the context variables of the manifests, and their imports",
    )
