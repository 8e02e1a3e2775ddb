"""The keys of atmos.yaml: their case, and those of `auth` that mean something.

Source: reference/atmos-stacks.md 1.8, reference/atmos-auth.md 1.1 to 1.4.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from wrapper.errors import ConfigError, Location
from wrapper.merge import UNSET
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config.identities import Part

# Maps whose keys are names, with the fields that an entry may have.
AUTH_NAMED: Mapping[str, tuple[str, ...]] = {
    "providers": (
        *("kind", "start_url", "url", "region", "username", "password", "driver", "provider_type"),
        *("download_browser_driver", "browser_type", "browser_executable_path", "console"),
        *("auto_provision_identities", "session", "default", "spec", "tags"),
    ),
    "identities": (
        *("kind", "default", "required", "provider", "via", "principal", "credentials", "spec"),
        *("alias", "env", "session", "emulator", "tags"),
    ),
    "integrations": ("kind", "via", "spec"),
}
AUTH_FIELDS = ("realm", "logs", "keyring", "console", "require_identity", *AUTH_NAMED)


_MAPS = (
    *("auth", "auth.providers", "auth.identities", "auth.integrations", "components"),
    *("components.terraform", "components.terraform.init", "components.terraform.plan"),
    *("components.terraform.workspace", "describe", "describe.component", "env", "logs"),
    *("profiles", "schemas", "settings", "settings.yaml", "stacks", "stacks.inherit"),
    *("templates", "templates.settings", "templates.settings.env", "version", "wrap"),
)
_TEXTS = (
    *("base_path", "components.terraform.base_path", "components.terraform.command"),
    *("auth.realm", "profiles.base_path", "settings.list_merge_strategy", "stacks.base_path"),
    *("stacks.name_pattern", "stacks.name_template"),
)
_LEVELS = ("trace", "debug", "info", "warning", "error", "off")
_LISTS = ("stacks.included_paths", "stacks.excluded_paths")
_SWITCHES = (
    *("apply_auto_approve", "auto_generate_backend_file", "deploy_run_init"),
    *("init_run_reconfigure", "plugin_cache", "init.pass_vars", "plan.skip_planfile"),
)


def checked(data: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a file's folded map with empty sections left out and simple types as they must be.

    A list may be written as one text with commas, a switch as text, a text as a number.
    Raises: ConfigError with the place of a value of a wrong type.
    """
    for key in _MAPS:
        data = _with(data, key, path, _map)
    for key in _TEXTS:
        data = _with(data, key, path, _text)
    for key in _LISTS:
        data = _with(data, key, path, _list)
    for key in _SWITCHES:
        data = _with(data, f"components.terraform.{key}", path, _switch)
    return data


def _with(data: dict[str, Any], key: str, path: str, convert: Callable[[Any], Any]) -> Any:
    """Return `data` with the value of a dotted key converted, where there is one."""
    *parents, leaf = key.split(".")
    place: Any = data
    for parent in parents:
        place = place.get(parent)
        if not isinstance(place, dict):
            return data
    if leaf not in place or place[leaf] is UNSET:
        return data
    if place[leaf] is None:
        # A null is no map: whatever map lies below stays. Of anything else it takes the value away.
        if convert is _map:
            del place[leaf]
        return data
    try:
        place[leaf] = convert(place[leaf])
    except TypeError as error:
        raise ConfigError(f"`{key}` must be {error}", at=_place(path, key)) from error
    return data


def _map(value: Any) -> Any:
    if not isinstance(value, Mapping):
        raise TypeError("a map")
    return value


def _text(value: Any) -> str:
    if isinstance(value, bool | list | Mapping):
        raise TypeError("text")
    return value if isinstance(value, str) else str(value)


def _list(value: Any) -> list[Any]:
    listed = value.split(",") if isinstance(value, str) else value
    if not isinstance(listed, list) or not all(isinstance(i, str) or i is UNSET for i in listed):
        raise TypeError("a list of texts")
    return listed


def _switch(value: Any) -> bool:
    text = str(value).lower()
    if text not in ("true", "false", "1", "0", "t", "f"):
        raise TypeError("true or false")
    return text in ("true", "1", "t")


def _place(path: str, key: str) -> Location | str:
    from wrapper import yamlio

    try:
        with open(path, "rb") as stream:
            return yamlio.locate(stream.read(), path, tuple(key.split(".")))
    except OSError:
        return path


def check_level(data: Mapping[str, Any], source: str | None, parts: Sequence[Part]) -> None:
    """Refuse a `logs.level` that is none; `source` is the flag or variable that set it, if any.

    Raises: ConfigError with the place.
    """
    from wrapper.config.functions import NotRun

    logs = data.get("logs")
    level = logs.get("level") if isinstance(logs, Mapping) else None
    if isinstance(level, NotRun) or str(level or "").lower() in ("", *_LEVELS, "warn"):
        return
    with_level = [part.path for part in parts if (part.data.get("logs") or {}).get("level")]
    at = source or (_place(with_level[-1], "logs.level") if with_level else None)
    known = ", ".join(name.capitalize() for name in _LEVELS)
    raise ConfigError(f'invalid log level "{level}"', at=at, hint=f"one of {known}")


def fold(data: Mapping[str, Any]) -> dict[str, Any]:
    """Return a file's map with schema keys in lower case and names as written.

    Names are those of environment variables and of what `auth` defines; Atmos lowers the latter.
    """
    folded: dict[str, Any] = {}
    for key, value in data.items():
        name = key.lower()
        if name == "env":
            folded[name] = value
        elif name == "auth" and isinstance(value, Mapping):
            folded[name] = _fold_auth(value)
        else:
            folded[name] = _fold_all(value)
    return folded


def known_auth(section: Mapping[str, Any]) -> dict[str, Any]:
    """Return an `auth` section without the keys that mean nothing, as Atmos shows it."""
    known: dict[str, Any] = {}
    for key, value in section.items():
        if key in AUTH_NAMED and isinstance(value, Mapping):
            known[key] = {name: _known_entry(key, entry) for name, entry in value.items()}
        elif key in AUTH_FIELDS:
            known[key] = value
    return known


def _known_entry(group: str, entry: Any) -> Any:
    if not isinstance(entry, Mapping):
        return entry
    return {key: value for key, value in entry.items() if key in AUTH_NAMED[group]}


def _fold_auth(section: Mapping[str, Any]) -> dict[str, Any]:
    folded: dict[str, Any] = {}
    for key, value in section.items():
        name = key.lower()
        if name in AUTH_NAMED and isinstance(value, Mapping):
            folded[name] = {entry: _fold_all(below, _AS_WRITTEN) for entry, below in value.items()}
        else:
            folded[name] = _fold_all(value)
    return folded


# Maps below an entry of `auth` whose keys are names, or AWS's own.
_AS_WRITTEN = ("env", "policy", "session_tags")


def _fold_all(value: Any, kept: tuple[str, ...] = ("env",)) -> Any:
    if isinstance(value, Mapping):
        return {
            key.lower(): entry if key.lower() in kept else _fold_all(entry, kept)
            for key, entry in value.items()
        }
    if type(value) is list:
        return [_fold_all(entry, kept) for entry in value]
    return value
