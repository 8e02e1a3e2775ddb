"""What sections of the configuration name: identities, providers, workflows, commands."""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import WrapError
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.world import World

Names = list[tuple[str, str]]
_LONGEST = 200


def identities(auth: Mapping[str, Any]) -> Names:
    """Return the identities with kind and account, in Atmos's order."""
    known = _map(auth.get("identities"))
    order = sorted(map(str, known), key=lambda name: (name.lower(), name))
    return [(name, _identity(_map(known.get(name)))) for name in order]


def _identity(body: Mapping[str, Any]) -> str:
    from wrapper.stacks.identities import account

    return text(f"{body.get('kind') or ''} {account(body)}")


def providers(auth: Mapping[str, Any]) -> Names:
    """Return the providers with their kinds."""
    known = _map(auth.get("providers"))
    return [(str(n), text(_map(known[n]).get("kind") or "")) for n in sorted(known, key=str)]


def profiles(loaded: Config, world: World) -> Names:
    """Return the profiles that can be selected."""
    from wrapper.config import profiles as known
    from wrapper.files import atmos_dir

    xdg = atmos_dir(world.environ, "CONFIG")
    where = known.places(loaded.data, loaded.dir or world.cwd, xdg)
    return [(one.name, one.kind) for one in known.available(where)]


def workflows(loaded: Config) -> tuple[Names, Names]:
    """Return the workflows with what they are, and the files that hold them."""
    base = _map(loaded.data.get("workflows")).get("base_path")
    if not isinstance(base, str) or not base:
        return [], []
    top = os.path.normpath(os.path.join(loaded.base_path, base))
    names: dict[str, str] = {}
    files: Names = []
    for directory, folders, found in os.walk(top):
        folders.sort()
        for name in sorted(found):
            path = os.path.join(directory, name)
            if name.endswith((".yaml", ".yml")):
                below = os.path.relpath(path, top)
                held = _workflows_of(path)
                files.append((below, text(", ".join(held))))
                for each, about in held.items():
                    names.setdefault(each, about or below)
    return sorted(names.items()), files


def _workflows_of(path: str) -> dict[str, str]:
    from wrapper import yamlio

    try:
        if not os.path.isfile(path):
            return {}
        with open(path, "rb") as stream:
            data = yamlio.load(stream.read(1 << 22), path, lambda _tag, _value, _at: None).data
    except (OSError, WrapError, RecursionError):
        return {}
    known = _map(_map(data).get("workflows"))
    return {str(name): text(_map(body).get("description") or "") for name, body in known.items()}


def commands(entries: Any) -> dict[str, dict[str, Any]]:
    """Return the commands of atmos.yaml: what each does, its flags, the commands below it."""
    found: dict[str, dict[str, Any]] = {}
    for entry in entries if isinstance(entries, list) else ():
        name = _map(entry).get("name")
        if not isinstance(name, str) or not name:
            continue
        one = found.setdefault(name, {"about": "", "flags": [], "commands": {}})
        one["about"] = text(entry.get("description") or "") or one["about"]
        one["flags"] += _flags(entry.get("flags"))
        one["commands"].update(commands(entry.get("commands")))
    return found


def _flags(entries: Any) -> Names:
    found: Names = []
    for entry in entries if isinstance(entries, list) else ():
        body = _map(entry)
        about = text(body.get("description") or body.get("usage") or "")
        if body.get("name"):
            found.append((f"--{body['name']}", about))
        if body.get("shorthand"):
            found.append((f"-{body['shorthand']}", about))
    return found


def text(value: Any) -> str:
    """Return a text as one line, not too long, that a terminal may be given."""
    line = " ".join(str(value)[:_LONGEST].split())
    return "".join(char if char.isprintable() else "?" for char in line)


def _map(value: Any) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}
