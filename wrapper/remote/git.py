"""Repositories of git: which commit a version is, and its files, fetched by a git that runs nothing.

docs/explanation/remote-imports.md lists what is switched off and why.
"""

from __future__ import annotations

import base64
import os
import re
import time
from collections.abc import Mapping

from wrapper.errors import StackError, ToolMissing
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.remote.address import Address
    from wrapper.world import World

# Seconds for a question, for a whole fetch; bytes that one may bring.
ASK, FETCH = 30.0, 300.0
LARGEST = 1 << 28
_COMMIT = re.compile(r"[0-9a-f]{40}(?:[0-9a-f]{24})?\Z")
_PART = re.compile(r"[0-9a-f]{7,63}\Z")
_SETTINGS = (
    "core.hooksPath=/dev/null", "core.fsmonitor=false", "core.askPass=", "core.protectNTFS=true",
    "protocol.ext.allow=never", "submodule.recurse=false", "fetch.recurseSubmodules=false",
    "fetch.writeCommitGraph=false", "gc.auto=0", "maintenance.auto=false", "http.sslVerify=true",
    "http.lowSpeedLimit=100", "http.lowSpeedTime=30", "http.followRedirects=initial",
    "advice.detachedHead=false", "init.defaultBranch=main",
)  # fmt: skip
# Of git's variables these are the user's way to its servers; all others stay outside.
_KEPT = (
    "GIT_SSL_CAINFO", "GIT_SSL_CAPATH", "GIT_SSH", "GIT_SSH_COMMAND", "GIT_SSH_VARIANT",
    "GIT_ASKPASS", "GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM", "GIT_CONFIG_NOSYSTEM",
)  # fmt: skip
_TOKENS = {
    "https://github.com/": ("x-access-token", ("ATMOS_GITHUB_TOKEN", "GITHUB_TOKEN")),
    "https://gitlab.com/": ("oauth2", ("ATMOS_GITLAB_TOKEN", "GITLAB_TOKEN")),
}


class Version(NamedTuple):
    """A commit, the name that brings it, and whether that can mean another commit tomorrow."""

    commit: str
    name: str
    moves: bool


class FetchError(StackError):
    """Something on the net could not be had: what is there from before may be used."""


def resolve(address: Address, world: World) -> Version | None:
    """Return the commit that an address means; None when only the whole history tells.

    Raises: FetchError, ToolMissing.
    """
    ref = address.ref
    if _COMMIT.match(ref):
        return Version(ref, ref, moves=False)
    tag, branch = f"refs/tags/{ref}", f"refs/heads/{ref}" if ref else "HEAD"
    wanted = [tag, f"{tag}^{{}}", branch] if ref else [branch]
    said = _git(["ls-remote", "--quiet", "--", address.url, *wanted], address, world, ASK)
    rows = [line.split("\t", 1) for line in said.splitlines() if "\t" in line]
    found = {name: commit for commit, name in rows if _COMMIT.match(commit)}
    if tag in found:
        return Version(found.get(f"{tag}^{{}}", found[tag]), tag, moves=False)
    if branch in found:
        return Version(found[branch], branch, moves=True)
    if _PART.match(ref):
        return None
    raise FetchError(f"{address.source} has no branch or tag {ref or 'to begin with'}")


def checkout(address: Address, version: Version | None, target: str, world: World) -> str:
    """Put the files of a version into the new directory `target`; return its commit.

    `target` + `.git` is used meanwhile. Raises: FetchError, ToolMissing.
    """
    import shutil

    there = f"{target}.git"
    os.mkdir(target, 0o700)
    try:
        _git(["init", "--quiet", "--bare", "--template=", there], address, world, ASK)
        base = [f"--git-dir={there}"]
        name = _bring(address, version, base, there, world)
        asked = ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"]
        commit = _git([*base, *asked], address, world, ASK).strip()
        if version is not None and not version.moves and commit != version.commit:
            raise FetchError(f"{address.source} gave another commit than {version.commit}")
        files = [*base, f"--work-tree={target}", "checkout", "--quiet", "--force", "--detach"]
        _git([*files, commit], address, world, FETCH)
        return commit
    finally:
        shutil.rmtree(there, ignore_errors=True)


def _bring(
    address: Address, version: Version | None, base: list[str], there: str, world: World
) -> str:
    """Fetch one version or, where a server gives only what it names, all; return what it is called."""
    fetch = [*base, "fetch", "--quiet", "--no-recurse-submodules"]
    if version is not None:
        one = [*fetch, "--depth=1", "--no-tags", "--", address.url, version.name]
        try:
            _git(one, address, world, FETCH, there)
            return "FETCH_HEAD"
        except FetchError:
            if not _COMMIT.match(version.name):
                raise
    every = ["+refs/heads/*:refs/heads/*", "+refs/tags/*:refs/tags/*"]
    _git([*fetch, "--", address.url, *every], address, world, FETCH, there)
    return address.ref


def _git(
    arguments: list[str], address: Address, world: World, seconds: float, growing: str = ""
) -> str:
    """Run git; return what it says. `growing` is the directory whose size is watched."""
    import shutil
    import subprocess

    from wrapper import children, ui

    env = environment(address, world.environ)
    program = shutil.which("git", path=env.get("PATH", os.defpath))
    if program is None or not os.path.isabs(program):
        raise ToolMissing(
            'the program "git" is not there', hint="install it: it fetches what is in repositories"
        )
    settings = [part for one in _SETTINGS for part in ("-c", one)]
    ends = time.monotonic() + seconds
    why, said, told = "", b"", b""
    with children.started(
        [program, *settings, *arguments],
        cwd="/",
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    ) as child:
        while child.returncode is None:
            try:
                said, told = child.communicate(timeout=0.5)
            except subprocess.TimeoutExpired:
                if time.monotonic() > ends:
                    why = f"it took longer than {seconds:.0f} s"
                elif growing and _size(growing) > LARGEST:
                    why = f"it is larger than {LARGEST >> 20} MB"
                if why:
                    children.end(child, group=True)
    if why or child.returncode:
        lines = [line.strip() for line in told.decode("utf-8", "replace").splitlines()]
        lines = [
            line for line in lines if line.startswith(("fatal:", "error:", "remote: ERR"))
        ] or lines
        reason = why or ui.escape((lines or [f"git ended with exit code {child.returncode}"])[-1])
        raise FetchError(f"cannot fetch {address.source}: {reason.removeprefix('fatal: ')}")
    return said.decode("utf-8", "replace")


def environment(address: Address, environ: Mapping[str, str]) -> dict[str, str]:
    """Return git's environment: nothing of a repository around us, nobody asked, one protocol."""
    own = {k: v for k, v in environ.items() if not k.startswith("GIT_") or k in _KEPT}
    own.pop("SSH_ASKPASS", None)
    given = _given(environ)
    header = _header(address, environ)
    if header:
        given.append((f"http.{address.url}.extraHeader", header))
    own["GIT_CONFIG_COUNT"] = str(len(given))
    for index, (key, value) in enumerate(given):
        own[f"GIT_CONFIG_KEY_{index}"], own[f"GIT_CONFIG_VALUE_{index}"] = key, value
    own["GIT_TERMINAL_PROMPT"] = "0"
    own["GIT_LFS_SKIP_SMUDGE"] = "1"
    own["GCM_INTERACTIVE"] = "never"
    own["SSH_ASKPASS_REQUIRE"] = "never"
    own["GIT_ALLOW_PROTOCOL"] = "file" if address.url.startswith("file://") else "https:ssh"
    own.setdefault("GIT_SSH_COMMAND", "ssh -oBatchMode=yes -oConnectTimeout=15")
    if environ.get("SSL_CERT_FILE") and "GIT_SSL_CAINFO" not in own:
        own["GIT_SSL_CAINFO"] = environ["SSL_CERT_FILE"]
    return own


def _given(environ: Mapping[str, str]) -> list[tuple[str, str]]:
    """Return the settings that the user handed to git by variables."""
    count = environ.get("GIT_CONFIG_COUNT", "")
    found = []
    for index in range(int(count) if count.isdigit() and len(count) < 4 else 0):
        key, value = (
            environ.get(f"GIT_CONFIG_KEY_{index}"),
            environ.get(f"GIT_CONFIG_VALUE_{index}"),
        )
        if key and value is not None:
            found.append((key, value))
    return found


def _header(address: Address, environ: Mapping[str, str]) -> str:
    """Return the header that signs in: of the address's own user, else of the host's token.

    By a variable, so that no list of processes shows it. Source: reference/atmos-stacks.md 1.4.
    """
    if not address.url.startswith("https://"):
        return ""
    login = str(address.login)
    for host, (user, variables) in _TOKENS.items():
        if not login and address.url.startswith(host):
            token = next((environ[name] for name in variables if environ.get(name)), "")
            login = f"{user}:{token}" if token else ""
    if not login:
        return ""
    from urllib.parse import unquote

    pair = login if ":" in login else f"{login}:"
    return "Authorization: Basic " + base64.b64encode(unquote(pair).encode()).decode()


def _size(directory: str) -> int:
    total = 0
    for base, _, names in os.walk(directory):
        for name in names:
            try:
                total += os.lstat(os.path.join(base, name)).st_size
            except OSError:
                continue
    return total
