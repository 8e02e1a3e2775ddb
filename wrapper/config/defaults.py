"""What holds when atmos.yaml says nothing, and what variables lay over it."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import ConfigError
from wrapper.typed import Any

# Source: reference/atmos-stacks.md 1.4.
ALWAYS: Mapping[str, Any] = {
    "components": {
        "helmfile": {"use_eks": False},
        "terraform": {
            "append_user_agent": "",
            "plugin_cache": True,
            "auto_provision_workdir_for_outputs": True,
        },
    },
    "settings": {
        "inject_github_token": True,
        "inject_bitbucket_token": True,
        "inject_gitlab_token": True,
        "terminal": {"color": True, "no_color": False, "pager": "false"},
        "experimental": "warn",
    },
    "logs": {"file": "/dev/stderr", "level": "Warning"},
    "describe": {"provenance": True, "component": {"filter": "schema"}, "error_mode": "warn"},
    "help": {"filter": True},
    "list": {"error_mode": "warn"},
    "stacks": {"inherit": {"metadata": True}},
    "container": {"auto_start": True},
}

# Only when there is no configuration file at all. Source: reference/atmos-stacks.md 1.5.
WITHOUT_FILES: Mapping[str, Any] = {
    "base_path": ".",
    "stacks": {
        "base_path": "stacks",
        "included_paths": ["orgs/**/*"],
        "excluded_paths": ["**/_defaults.yaml"],
        "name_pattern": "{tenant}-{environment}-{stage}",
    },
    "components": {
        "terraform": {
            "base_path": "components/terraform",
            "deploy_run_init": True,
            "init_run_reconfigure": True,
            "auto_generate_backend_file": True,
            "apply_auto_approve": False,
            "auto_provision_workdir_for_outputs": False,
            "workspace": {"prefix_separator": "-"},
        }
    },
    "templates": {
        "settings": {"enabled": True, "sprig": {"enabled": True}, "gomplate": {"enabled": True}}
    },
    "settings": {"list_merge_strategy": "replace"},
    "workflows": {"base_path": "stacks/workflows"},
}

_TERRAFORM = "ATMOS_COMPONENTS_TERRAFORM_"
_TEXT = {
    "ATMOS_BASE_PATH": "base_path",
    "ATMOS_STACKS_BASE_PATH": "stacks.base_path",
    "ATMOS_STACKS_NAME_PATTERN": "stacks.name_pattern",
    "ATMOS_STACKS_NAME_TEMPLATE": "stacks.name_template",
    f"{_TERRAFORM}COMMAND": "components.terraform.command",
    f"{_TERRAFORM}BASE_PATH": "components.terraform.base_path",
    f"{_TERRAFORM}APPEND_USER_AGENT": "components.terraform.append_user_agent",
    f"{_TERRAFORM}PLUGIN_CACHE_DIR": "components.terraform.plugin_cache_dir",
    f"{_TERRAFORM}CACHE_LOCATION": "components.terraform.cache.location",
    "ATMOS_COMPONENTS_HELMFILE_COMMAND": "components.helmfile.command",
    "ATMOS_COMPONENTS_HELMFILE_BASE_PATH": "components.helmfile.base_path",
    "ATMOS_COMPONENTS_HELMFILE_KUBECONFIG_PATH": "components.helmfile.kubeconfig_path",
    "ATMOS_COMPONENTS_HELMFILE_CLUSTER_NAME_PATTERN": "components.helmfile.cluster_name_pattern",
    "ATMOS_COMPONENTS_PACKER_COMMAND": "components.packer.command",
    "ATMOS_COMPONENTS_PACKER_BASE_PATH": "components.packer.base_path",
    "ATMOS_WORKFLOWS_BASE_PATH": "workflows.base_path",
    "ATMOS_VENDOR_BASE_PATH": "vendor.base_path",
    "ATMOS_SCHEMAS_JSONSCHEMA_BASE_PATH": "schemas.jsonschema.base_path",
    "ATMOS_SCHEMAS_OPA_BASE_PATH": "schemas.opa.base_path",
    "ATMOS_SCHEMAS_CUE_BASE_PATH": "schemas.cue.base_path",
    "ATMOS_SCHEMAS_ATMOS_MANIFEST": "schemas.atmos.manifest",
    "ATMOS_SETTINGS_LIST_MERGE_STRATEGY": "settings.list_merge_strategy",
    "ATMOS_LOGS_LEVEL": "logs.level",
    "ATMOS_LOGS_FILE": "logs.file",
    "ATMOS_EDITION": "edition",
    "ATMOS_AUTH_REALM": "auth.realm",
    "ATMOS_VERSION_ENFORCEMENT": "version.constraint.enforcement",
    "ATMOS_DESCRIBE_COMPONENT_FILTER": "describe.component.filter",
}
_LISTS = {
    "ATMOS_STACKS_INCLUDED_PATHS": "stacks.included_paths",
    "ATMOS_STACKS_EXCLUDED_PATHS": "stacks.excluded_paths",
}
_SWITCHES = {
    f"{_TERRAFORM}APPLY_AUTO_APPROVE": "components.terraform.apply_auto_approve",
    f"{_TERRAFORM}DEPLOY_RUN_INIT": "components.terraform.deploy_run_init",
    f"{_TERRAFORM}INIT_RUN_RECONFIGURE": "components.terraform.init_run_reconfigure",
    f"{_TERRAFORM}INIT_PASS_VARS": "components.terraform.init.pass_vars",
    f"{_TERRAFORM}PLAN_SKIP_PLANFILE": "components.terraform.plan.skip_planfile",
    f"{_TERRAFORM}AUTO_GENERATE_BACKEND_FILE": "components.terraform.auto_generate_backend_file",
    f"{_TERRAFORM}PLUGIN_CACHE": "components.terraform.plugin_cache",
    f"{_TERRAFORM}CACHE_ENABLED": "components.terraform.cache.enabled",
    "ATMOS_COMPONENTS_HELMFILE_USE_EKS": "components.helmfile.use_eks",
    "ATMOS_DESCRIBE_PROVENANCE": "describe.provenance",
}
_TRUE = ("1", "t", "true")
_FALSE = ("0", "f", "false")


def from_environment(environ: Mapping[str, str]) -> dict[str, tuple[Any, str]]:
    """Return what variables set: dotted key -> value and the variable's name.

    Empty variables count as not set. Raises: ConfigError for a switch that is neither.
    Source: reference/atmos-stacks.md 1.10.
    """
    found: dict[str, tuple[Any, str]] = {}
    if not any(name.startswith("ATMOS_") for name in environ):
        return found
    for name, key in _TEXT.items():
        if environ.get(name):
            found[key] = (environ[name], name)
    for name, key in _LISTS.items():
        if environ.get(name):
            found[key] = (environ[name].split(","), name)
    for name, key in _SWITCHES.items():
        if environ.get(name):
            found[key] = (switch(environ[name], name), name)
    return found


def switch(text: str, name: str) -> bool:
    """Return a Boolean variable's value, as Go reads it. Raises: ConfigError."""
    if text.lower() in _TRUE:
        return True
    if text.lower() in _FALSE:
        return False
    raise ConfigError(f"{name} must be true or false, not {text!r}", at=name)


def put(data: Mapping[str, Any], key: str, value: Any) -> dict[str, Any]:
    """Return `data` with a dotted key set; maps on the way are copied or made."""
    first, _, rest = key.partition(".")
    if rest:
        below = data.get(first)
        value = put(below if isinstance(below, Mapping) else {}, rest, value)
    return {**data, first: value}
