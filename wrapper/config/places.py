"""Looking at a configuration: where a key was set, and how `describe config` shows it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.config import profiles
from wrapper.errors import Location
from wrapper.files import atmos_dir
from wrapper.merge import deep_merge, prune
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.world import World

MASKED = "***"


def where(config: Config, keys: Sequence[str]) -> Location | None:
    """Return the place of the setting that won, from the files' own text."""
    from wrapper import yamlio

    if ".".join(keys) in config.overridden:
        return None
    for path in _winners(config, keys):
        try:
            with open(path, "rb") as stream:
                return yamlio.locate(stream.read(), path, tuple(keys))
        except OSError:
            return Location(path, 1, 1)
    return None


def _winners(config: Config, keys: Sequence[str]) -> list[str]:
    """Return the files that hold the key, highest first."""
    if tuple(keys[:2]) == ("auth", "identities") and len(keys) > 2:
        ranked = sorted(config.auth_layers, key=lambda layer: layer.rank, reverse=True)
        return [layer.path for layer in ranked if _has(layer.data, keys[1:])]
    return [part.path for part in reversed(config.parts) if _has(part.data, keys)]


def _has(data: Any, keys: Sequence[str]) -> bool:
    for key in keys:
        if not isinstance(data, Mapping):
            return False
        same = [key] if key in data else [name for name in data if name.lower() == key.lower()]
        if len(same) != 1:
            return False
        data = data[same[0]]
    return True


def profile_places(config: Config, world: World) -> list[profiles.Place]:
    """Return where this configuration looks for profiles, highest first."""
    xdg = atmos_dir(world.environ, "CONFIG")
    return profiles.places(config.data, config.dir or world.cwd, xdg)


def available_profiles(config: Config, world: World) -> list[profiles.Profile]:
    """Return every profile that can be selected, sorted by name."""
    return profiles.available(profile_places(config, world))


def profiles_with(config: Config, world: World, identity: str) -> list[str]:
    """Return the profiles, not active, that define an identity.

    With `''` those with any identity or provider; none when a profile is active: it was chosen.
    Source: reference/atmos-auth.md 2.9.
    """
    if not identity and config.profiles:
        return []
    found = []
    for profile in available_profiles(config, world):
        kinds = ("identities",) if identity else ("identities", "providers")
        maps = [entries for kind in kinds for entries in profiles.said(profile, "auth", kind)]
        names = {str(name).lower() for entries in maps for name in entries}
        if profile.name not in config.profiles and (identity.lower() in names or not identity):
            found += [profile.name] if names else []
    return found


def profile_content(config: Config) -> dict[str, Any]:
    """Return what the active profiles alone say, merged; credentials are masked."""
    merged: dict[str, Any] = {}
    for part in config.parts:
        if part.section == "profile":
            merged = deep_merge(merged, part.data)
    merged.pop("import", None)
    content = _masked(plain(prune(merged)), _hidden(config))
    assert isinstance(content, dict)
    return content


def plain(value: Any) -> Any:
    """Return the value with text of `!env` as ordinary text."""
    if isinstance(value, Mapping):
        return {key: plain(entry) for key, entry in value.items()}
    if isinstance(value, list):
        return [plain(entry) for entry in value]
    return str(value) if isinstance(value, str) else value


def described(config: Config) -> dict[str, Any]:
    """Return the configuration as `describe config` shows it; secrets are masked.

    Source: reference/atmos-stacks.md 6.3.
    """
    shown = {key: value for key, value in config.data.items() if key != "import"}
    shown["auth"] = {"realm": _realm(config), **_masked(config.data["auth"], _hidden(config))}
    logs = config.data.get("logs")
    if isinstance(logs, Mapping):
        shown["logs"] = {key: logs[key] for key in ("file", "level") if key in logs}
    shown.update(
        cli_config_path=config.cli_config_path,
        basePathAbsolute=config.base_path,
        stacksBaseAbsolutePath=config.stacks_dir or config.base_path,
        terraformDirAbsolutePath=config.terraform_dir or config.base_path,
    )
    return shown


def _realm(config: Config) -> str:
    if not config.cli_config_path:
        return "default"
    import hashlib

    return hashlib.sha256(config.cli_config_path.lower().encode()).hexdigest()[:16]


def _hidden(config: Config) -> set[str]:
    return {config.environ[name] for name in config.secrets if config.environ.get(name)}


def _masked(value: Any, hidden: set[str]) -> Any:
    if isinstance(value, Mapping):
        return {key: _masked(entry, hidden) for key, entry in value.items()}
    if isinstance(value, list):
        return [_masked(entry, hidden) for entry in value]
    return MASKED if isinstance(value, str) and value in hidden else value
