"""Settings that only the user may give, never a repository."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from wrapper.config.files import SYSTEM_DIR
from wrapper.config.identities import Part
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.world import World

# Below `wrap`: the first lets files of another program be written below the home directory, the
# second lets programs ask at the terminal.
_OWN = (("sso", "share"), ("shell", "login"))
_MISSING = object()


def kept(
    data: dict[str, Any], parts: Sequence[Part], home: str, warnings: list[str]
) -> dict[str, Any]:
    """Return the configuration with the user's settings as the user's own files have them.

    `parts` are the files, lowest first; what a repository says about these settings is left out,
    with a warning.
    """
    wrap = data.get("wrap")
    if not isinstance(wrap, Mapping):
        return data
    mine = (os.path.join(home, ".atmos", ""), os.path.join(SYSTEM_DIR, ""))
    for section, key in _OWN:
        if not isinstance(wrap.get(section), Mapping):
            continue
        value: Any = _MISSING
        for part in parts:
            found = _look(part.data, section, key)
            if found is _MISSING:
                continue
            if part.path.startswith(mine):
                value = found
            elif found:
                warnings.append(
                    f"wrap.{section}.{key} of {part.path} is ignored: "
                    "it counts in ~/.atmos/atmos.yaml only"
                )
        rest = {name: given for name, given in wrap[section].items() if name != key}
        if value is not _MISSING:
            rest[key] = value
        wrap = {**wrap, section: rest}
    return {**data, "wrap": wrap}


def _look(data: Any, section: str, key: str) -> Any:
    for step in ("wrap", section):
        data = data.get(step) if isinstance(data, Mapping) else None
    return data.get(key, _MISSING) if isinstance(data, Mapping) else _MISSING


def shell_login(world: World) -> str:
    """Return `wrap.shell.login` as the user has it: `ask`, else `never`. No repository is read."""
    from wrapper import config
    from wrapper.errors import WrapError

    given: Any = world.environ.get("ATMOS_WRAP_SHELL_LOGIN")
    for directory in (os.path.join(world.home, ".atmos"), SYSTEM_DIR):
        path = os.path.join(directory, "atmos.yaml")
        if given or not os.path.exists(path):
            continue
        try:
            options = config.Options(config_files=(path,), passive=True)
            found = config.load(world._replace(cwd=directory), options)
        except WrapError:
            continue
        given = (found.data.get("wrap") or {}).get("shell") or {}
        given = given.get("login") if isinstance(given, Mapping) else None
    return "ask" if str(given).lower() == "ask" else "never"
