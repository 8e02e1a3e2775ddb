"""What atmos.yaml may ask about the git repository.

Source: reference/atmos-stacks.md 1.7.
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from wrapper.errors import ConfigError, Location

if TYPE_CHECKING:
    from wrapper.config.functions import Surroundings

_COMMANDS = {
    "!git.sha": ("rev-parse", "HEAD"),
    "!git.branch": ("symbolic-ref", "--short", "HEAD"),
    "!git.url": ("config", "--get", "remote.origin.url"),
}
_REMOTE = re.compile(
    r"(?:[a-z+]+://)?(?:[^@/]*@)?(?P<host>[^:/]+)(?::\d+)?[:/](?P<owner>.+)/(?P<name>[^/]+?)(?:\.git)?/?\Z"
)


def call(tag: str, default: str, at: Location, around: Surroundings) -> str:
    """Return what a `!git.*` or `!repo-root` function gives.

    Raises: ConfigError when git has no answer and there is no default.
    """
    value = _value(tag, around)
    if value:
        return value
    if default:
        return default.strip("'\"")
    raise ConfigError(f"{tag}: not in a git repository that has this", at=at)


def _value(tag: str, around: Surroundings) -> str:
    if tag in ("!repo-root", "!git.root"):
        return around.git_root
    if not around.git_root:
        return ""
    if tag == "!git.ref":
        return _value("!git.branch", around) or _value("!git.sha", around)
    if tag in _COMMANDS:
        return _run(_COMMANDS[tag], around)
    remote = _REMOTE.match(_value("!git.url", around))
    if not remote:
        return os.path.basename(around.git_root) if tag == "!git.name" else ""
    if tag == "!git.repository":
        return f"{remote['owner']}/{remote['name']}"
    return str(remote[tag.removeprefix("!git.")])


def _run(arguments: tuple[str, ...], around: Surroundings) -> str:
    import subprocess

    try:
        done = subprocess.run(
            ["git", *arguments],
            cwd=around.git_root,
            env=dict(around.environ),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=10,
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""
