"""The files that a run needs beside the module's own: their names and their content."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import StackError
from wrapper.terraform import gojson, variables
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component

BACKEND = "backend.tf.json"
PROVIDERS = "providers_override.tf.json"
REQUIRED = "terraform_override.tf.json"


class File(NamedTuple):
    """A file to write below the component's directory, mode 0600 unless said otherwise."""

    path: str
    data: bytes
    mode: int = 0o600


class Names(NamedTuple):
    """File names of one component in one stack, all inside the component's directory."""

    varfile: str
    planfile: str
    test_varfile: str


def setting(config: Config, *keys: str, default: Any = None) -> Any:
    """Return a value below `components.terraform` of the configuration."""
    value: Any = (config.data.get("components") or {}).get("terraform") or {}
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return default if value is None else value


def module(component: Component, config: Config) -> str:
    """Return the Terraform component's path below the component directory.

    It is where `component_info` says; `component` of the section can be the component's own name.
    """
    path = (component.section.get("component_info") or {}).get("component_path")
    if path and config.terraform_dir:
        return os.path.relpath(str(path), config.terraform_dir)
    return str((component.section.get("metadata") or {}).get("component") or component.name)


def directory(component: Component, config: Config) -> str:
    """Return the directory in which Terraform runs, absolute: the module's, or one of its own.

    One that is made or filled before a run need not be there.
    Raises: StackError when it is not there or not configured.
    Source: reference/atmos-stacks.md 4.2, 5.2, 5.8.
    """
    if has_workdir(component, config):
        from wrapper.terraform import workdir

        return workdir.directory(component, config)
    if component.section.get("source") and config.terraform_dir:
        return os.path.normpath(os.path.join(config.terraform_dir, module(component, config)))
    return module_directory(component, config)


def has_workdir(component: Component, config: Config) -> bool:
    """Say whether a component runs in a directory of its own; a component's word comes first."""
    for section in (component.section, config.data.get("settings") or {}):
        found: Any = section
        for key in ("provision", "workdir", "enabled"):
            found = found.get(key) if isinstance(found, Mapping) else None
        if isinstance(found, bool):
            return found
    return False


def is_provided(component: Component, config: Config) -> bool:
    """Say whether something has to be put where Terraform runs before it does."""
    return bool(component.section.get("source")) or has_workdir(component, config)


def module_directory(component: Component, config: Config) -> str:
    """Return the directory of the component's module, absolute.

    One that is generated as a whole need not be there.
    Raises: StackError when it is not there or not configured.
    """
    if not config.terraform_dir:
        raise StackError(
            "components.terraform.base_path is not set",
            hint="set it in atmos.yaml to the directory that holds the Terraform modules",
        )
    path = os.path.normpath(os.path.join(config.terraform_dir, module(component, config)))
    if not os.path.isdir(path) and not _is_generated(component, config):
        raise StackError(
            f'the component "{component.name}" points to the Terraform component '
            f'"{module(component, config)}", but there is no directory {path}',
            at=component.where("metadata", "component") or component.where(),
            hint="check metadata.component, and components.terraform.base_path in atmos.yaml",
        )
    return path


def _is_generated(component: Component, config: Config) -> bool:
    from wrapper.terraform import generate

    return generate.is_whole_module(component, config)


def names(component: Component, config: Config) -> Names:
    """Return the names of the component's generated files.

    Source: reference/atmos-stacks.md 5.3; a `/` in a stack's name becomes `-`, where Atmos fails.
    """
    folders = module(component, config).split("/")[:-1]
    parts = [component.context_prefix, *folders, component.name.rsplit("/", 1)[-1]]
    stem = "-".join(part.replace("/", "-") for part in parts if part)
    return Names(
        f"{stem}.terraform.tfvars.json",
        f"{stem}.planfile",
        f"{stem}.terraform.test.tfvars.json",
    )


def varfile(
    component: Component, config: Config, path: str, *, with_secrets: bool = False
) -> tuple[bytes, dict[str, str]]:
    """Return the content of the varfile, and the variables that go by `TF_VAR_…` instead.

    A variable that the module in the directory `path` declares sensitive, or that holds a secret, stays out.
    Raises: StackError for a value that JSON cannot hold.
    Source: reference/atmos-stacks.md 5.3.
    """
    shown, hidden = shown_variables(component, config, path, with_secrets=with_secrets)
    return gojson.document(shown), hidden


def shown_variables(
    component: Component, config: Config, path: str, *, with_secrets: bool = False
) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the variables of the varfile, and those that go by `TF_VAR_…`; as `varfile`."""
    values = component.section.get("vars") or {}
    hidden: dict[str, str] = {}
    if not with_secrets:
        sensitive = variables.sensitive(path) if _masking(config) else frozenset()
        for name in sensitive | component.secret_vars:
            if values.get(name) is not None:
                value = values[name]
                hidden[f"TF_VAR_{name}"] = value if isinstance(value, str) else gojson.dumps(value)
    return {key: value for key, value in values.items() if f"TF_VAR_{key}" not in hidden}, hidden


def _masking(config: Config) -> bool:
    terminal = (config.data.get("settings") or {}).get("terminal") or {}
    mask = terminal.get("mask") if isinstance(terminal, Mapping) else None
    return not isinstance(mask, Mapping) or mask.get("enabled") is not False


def backend(component: Component) -> bytes:
    """Return the content of `backend.tf.json`.

    Raises: StackError when there is no type, or nothing configured for it.
    Source: reference/atmos-stacks.md 5.3.
    """
    kind, settings = backend_settings(component)
    if kind != "cloud":
        return gojson.document({"terraform": {"backend": {kind: settings}}})
    return gojson.document({"terraform": {"cloud": settings}})


def backend_settings(component: Component) -> tuple[str, Mapping[str, Any]]:
    """Return the backend's type and what is configured for it. Raises: as `backend`."""
    kind = component.section.get("backend_type")
    settings = component.section.get("backend")
    if not kind:
        raise StackError(
            f'backend_type is missing for the component "{component.name}" '
            f'in the stack "{component.stack}"',
            at=component.where("backend"),
            hint="set terraform.backend_type, or auto_generate_backend_file: false in atmos.yaml",
        )
    if not isinstance(settings, Mapping) or (not settings and kind != "local"):
        raise StackError(
            f'nothing is configured under backend.{kind}, the backend_type of "{component.name}" '
            f'in the stack "{component.stack}"',
            at=component.where("backend_type"),
            hint=f"add a terraform.backend.{kind} section",
        )
    if kind != "cloud":
        return str(kind), settings
    workspace = str(component.section.get("workspace") or "")
    return "cloud", _with_workspace(settings, workspace)


def _with_workspace(value: Any, workspace: str) -> Any:
    if isinstance(value, Mapping):
        return {key: _with_workspace(item, workspace) for key, item in value.items()}
    if isinstance(value, list):
        return [_with_workspace(item, workspace) for item in value]
    if isinstance(value, str):
        return value.replace("{terraform_workspace}", workspace)
    return value


def providers(component: Component) -> bytes | None:
    """Return the content of `providers_override.tf.json`; None when there is nothing to override.

    A key with a dot is short for an alias: `aws.use1` is one more block of `aws`.
    Source: reference/atmos-stacks.md 5.3.
    """
    given = component.section.get("providers")
    if not isinstance(given, Mapping) or not given:
        return None
    blocks: dict[str, Any] = {str(k): v for k, v in given.items() if "." not in str(k)}
    aliased: dict[str, list[Any]] = {}
    for key in sorted(str(k) for k in given if "." in str(k)):
        name, _, alias = key.partition(".")
        body = given[key]
        aliased.setdefault(name, []).append(
            {"alias": alias, **body} if isinstance(body, Mapping) else {"alias": alias}
        )
    for name, more in aliased.items():
        plain = blocks.get(name)
        first = [] if plain is None else plain if isinstance(plain, list) else [plain]
        blocks[name] = [*first, *more]
    return gojson.document({"provider": blocks})


def required(component: Component) -> bytes | None:
    """Return the content of `terraform_override.tf.json`; None when nothing is required.

    Source: reference/atmos-stacks.md 5.3.
    """
    body = {
        key: component.section[key]
        for key in ("required_version", "required_providers")
        if component.section.get(key)
    }
    return gojson.document({"terraform": body}) if body else None


def generated(component: Component, config: Config, path: str) -> tuple[list[File], list[str]]:
    """Return the files to write into the directory `path`, and those of ours to remove there.

    The varfile is not among them. Raises: StackError.
    Source: reference/atmos-stacks.md 5.2.
    """
    write: list[File] = []
    stale: list[str] = []
    if setting(config, "auto_generate_backend_file") is True:
        write.append(File(os.path.join(path, BACKEND), backend(component)))
    if setting(config, "auto_generate_files"):
        from wrapper.terraform import generate

        write += generate.section_files(component, path, config)
    for name, data in ((PROVIDERS, providers(component)), (REQUIRED, required(component))):
        target = os.path.join(path, name)
        if data is not None:
            write.append(File(target, data))
        elif name == PROVIDERS:
            stale.append(target)
    return write, stale
