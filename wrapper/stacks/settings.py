"""What `atmos.yaml` says about stacks, read once and with its defaults."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.errors import ConfigError
from wrapper.merge import STRATEGIES, deep_merge
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config


class Settings(NamedTuple):
    """The part of the configuration that decides how manifests are read and named."""

    stacks_dir: str
    base_path: str
    terraform_dir: str
    included: tuple[str, ...]
    excluded: tuple[str, ...]
    name_pattern: str
    name_template: str
    strategy: str
    inherit_metadata: bool
    templates: Mapping[str, Any]
    delimiter: str
    separator: str
    workspaces: bool
    command: str
    env: Mapping[str, Any]
    auth: Mapping[str, Any]
    github: Mapping[str, Any]
    imports_ttl: str = ""

    @property
    def rendering(self) -> bool:
        """Say whether component-stage templates are on."""
        return truth(self.templates.get("enabled"))


def settings_of(config: Config) -> Settings:
    """Return the settings for stacks. Raises: ConfigError when essentials are missing.

    Source: reference/atmos-stacks.md 1.4, 1.5.
    """
    data = config.data
    stacks = _map(data, "stacks")
    terraform = _map(data, "components", "terraform")
    if not config.stacks_dir:
        raise ConfigError(
            "stack base path must be provided in 'stacks.base_path' config or "
            "ATMOS_STACKS_BASE_PATH' ENV variable"
        )
    included = _strings(stacks.get("included_paths"))
    if not included:
        raise ConfigError(
            "at least one path must be provided in 'stacks.included_paths' config or "
            "ATMOS_STACKS_INCLUDED_PATHS' ENV variable"
        )
    strategy = _text(_map(data, "settings").get("list_merge_strategy")) or "replace"
    inherit = _map(stacks, "inherit").get("metadata")
    return Settings(
        stacks_dir=config.stacks_dir.rstrip("/") or "/",
        base_path=config.base_path,
        terraform_dir=config.terraform_dir,
        included=included,
        excluded=_strings(stacks.get("excluded_paths")),
        name_pattern=_text(stacks.get("name_pattern")),
        name_template=_text(stacks.get("name_template")),
        strategy=known_strategy(strategy),
        inherit_metadata=True if inherit is None else truth(inherit),
        templates=_map(data, "templates", "settings"),
        delimiter=_text(_map(data, "settings", "yaml").get("key_delimiter")),
        separator=_text(_map(terraform, "workspace").get("prefix_separator")) or "-",
        workspaces=terraform.get("workspaces_enabled") is None
        or truth(terraform.get("workspaces_enabled")),
        command=_text(terraform.get("command")),
        env=_map(data, "env"),
        auth=_map(data, "auth"),
        github=_map(data, "integrations", "github"),
        imports_ttl=str(_map(data, "imports").get("ttl") or ""),
    )


def known_strategy(name: str) -> str:
    """Return a list merge strategy's name if there is such a one. Raises: ConfigError."""
    if name not in STRATEGIES:
        known = "replace, append, merge"
        raise ConfigError(
            f"invalid list merge strategy: '{name}'. Supported list merge strategies are: {known}"
        )
    return name


def truth(value: Any) -> bool:
    """Return a setting as a Boolean; text counts as Go's ParseBool reads it."""
    if isinstance(value, str):
        return value.lower() in ("1", "t", "true")
    return bool(value)


def _map(data: Mapping[str, Any], *keys: str) -> Mapping[str, Any]:
    found: Any = data
    for key in keys:
        found = found.get(key) if isinstance(found, Mapping) else None
    return found if isinstance(found, Mapping) else {}


def _text(value: Any) -> str:
    return value if isinstance(value, str) else ""


def _strings(value: Any) -> tuple[str, ...]:
    if isinstance(value, str):
        return tuple(part.strip() for part in value.split(",") if part.strip())
    return tuple(str(item) for item in value) if isinstance(value, list | tuple) else ()


def with_github(merged: dict[str, Any], settings: Settings) -> dict[str, Any]:
    """Return settings over what `atmos.yaml` says of GitHub; what is no map there gives way."""
    integrations = merged.get("integrations")
    own = integrations if isinstance(integrations, dict) else {}
    github = own.get("github")
    lower: Any = dict(settings.github)
    found = deep_merge(lower, github if isinstance(github, dict) else {}, settings.strategy)
    return {**merged, "integrations": {**own, "github": found}}
