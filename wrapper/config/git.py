"""What atmos.yaml may ask about the git repository.

Source: reference/atmos-stacks.md 1.7.
"""

from __future__ import annotations

import os
import re

from wrapper.errors import ConfigError, Location
from wrapper.typed import TYPE_CHECKING

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
        return _value("!git.sha", around)  # a branch that is checked out is not named: as in Atmos
    if tag in _COMMANDS:
        return _looked_up(tag, around) if around.passive else _run(_COMMANDS[tag], around)
    remote = _REMOTE.match(_value("!git.url", around))
    if not remote:
        return os.path.basename(around.git_root) if tag == "!git.name" else ""
    if tag == "!git.repository":
        return f"{remote['owner']}/{remote['name']}"
    return str(remote[tag.removeprefix("!git.")])


def _run(arguments: tuple[str, ...], around: Surroundings) -> str:
    from subprocess import DEVNULL, PIPE, TimeoutExpired

    from wrapper import children

    try:
        done = children.run(
            ["git", *arguments],
            seconds=10,
            cwd=around.git_root,
            env=dict(around.environ),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=DEVNULL,
        )
    except (OSError, TimeoutExpired):
        return ""
    return done.stdout.decode("utf-8", "replace").strip() if done.returncode == 0 else ""


def _looked_up(tag: str, around: Surroundings) -> str:
    """Return what git would say, from its files: where nothing may be run."""
    own = _git_dir(around)
    shared = os.path.normpath(os.path.join(own, _line(os.path.join(own, "commondir"), around)))
    if tag == "!git.url":
        return _remote_url(os.path.join(shared, "config"), around)
    head = _line(os.path.join(own, "HEAD"), around, note=True)
    ref = head.removeprefix("ref: ") if head.startswith("ref: ") else ""
    if tag == "!git.branch":
        return ref.removeprefix("refs/heads/") if ref != "refs/heads/.invalid" else ""
    if not ref:
        return head
    return _commit(own, shared, ref, around)


def _git_dir(around: Surroundings) -> str:
    path = os.path.join(around.git_root, ".git")
    if os.path.isdir(path):
        return path
    link = _line(path, around, note=True).removeprefix("gitdir: ")
    return os.path.normpath(os.path.join(around.git_root, link))


def _commit(own: str, shared: str, ref: str, around: Surroundings) -> str:
    if ref.startswith("/") or ".." in ref.split("/"):
        return ""
    for directory in (own, shared):
        found = _line(os.path.join(directory, ref), around, note=True)
        if found:
            return found
    for line in _text(os.path.join(shared, "packed-refs"), around, note=True).splitlines():
        commit, _, name = line.partition(" ")
        if name == ref:
            return commit
    return ""


def _remote_url(path: str, around: Surroundings) -> str:
    """Return the last `url` of the remote `origin`."""
    section = found = ""
    for line in _text(path, around, note=True).splitlines():
        line = line.strip()
        if line.startswith("["):
            section = line
        key, equals, value = line.partition("=")
        if section == '[remote "origin"]' and equals and key.strip().lower() == "url":
            found = value.strip().strip('"')
    return found


def _line(path: str, around: Surroundings, *, note: bool = False) -> str:
    return _text(path, around, note=note).strip()


def _text(path: str, around: Surroundings, *, note: bool = False) -> str:
    """Return a file of git as text, '' when there is none; `note` says that it feeds a value."""
    from wrapper.config.functions import read_bytes

    if not os.path.isfile(path):
        return ""
    return read_bytes(path, around if note else around._replace(seen=None)).decode(
        "utf-8", "replace"
    )
