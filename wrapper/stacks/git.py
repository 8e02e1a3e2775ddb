"""Facts about the git repository, for the `!git.*` functions."""

from __future__ import annotations

import re
from collections.abc import Mapping

_COMMANDS = {
    "sha": ("rev-parse", "HEAD"),
    "ref": ("rev-parse", "HEAD"),
    "branch": ("rev-parse", "--abbrev-ref", "HEAD"),
    "url": ("config", "--get", "remote.origin.url"),
}
_URL = re.compile(r"(?:[a-z+]+://)?(?:[^@/]+@)?([^/:]+)(?::\d+)?[/:](.+?)(?:\.git)?/?\Z")


def fact(name: str, root: str, environ: Mapping[str, str]) -> str | None:
    """Return one fact, or None when git does not know it."""
    if not root:
        return None
    if name in _COMMANDS:
        return _ask(_COMMANDS[name], root, environ)
    url = _ask(_COMMANDS["url"], root, environ)
    match = _URL.match(url or "")
    if match is None:
        return None
    host, path = match.groups()
    owner, _, repository = path.rpartition("/")
    return {"host": host, "repository": path, "owner": owner, "name": repository}.get(name)


def _ask(command: tuple[str, ...], root: str, environ: Mapping[str, str]) -> str | None:
    from subprocess import DEVNULL, PIPE

    from wrapper import children

    try:
        done = children.run(
            ["git", "-C", root, *command],
            env=dict(environ),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
        )
    except OSError:
        return None
    text = done.stdout.decode("utf-8", "replace").strip()
    return text if done.returncode == 0 and text else None
