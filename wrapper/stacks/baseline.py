"""What a comparison is made with: which commit or directory, and its files in a private place."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wrapper.errors import StackError, UsageError
from wrapper.stacks import objects
from wrapper.stacks.objects import Entry, Refused
from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.world import World

_DEFAULT = "refs/remotes/origin/HEAD"
_NAME = re.compile(r"[0-9a-f]{7,64}\Z")
_BRANCH = re.compile(r"[\w./+-]+\Z")
_PROTOCOLS = "file:git:http:https:ssh"
# Larger files outside the manifests are not written down: no manifest includes them.
_LARGE = 10_000_000


class Against(NamedTuple):
    """What the user typed about the other side of a comparison; '' where nothing was."""

    base: str = ""
    ref: str = ""
    sha: str = ""
    repo_path: str = ""
    clone: bool = False
    ssh_key: str = ""
    ssh_key_password: str = ""

    @property
    def wanted(self) -> str:
        """Return the commit as it was typed, '' for the default."""
        return self.base or self.sha or self.ref


class Baseline:
    """The files of the other side: of a commit, or of another working tree.

    `root` is the root of our own working tree, `shown` how messages call the other side.
    """

    def __init__(
        self,
        root: str,
        shown: str,
        files: Mapping[str, Entry],
        environ: Mapping[str, str],
        *,
        store: str = "",
        private: str = "",
        checkout: str = "",
    ) -> None:
        """`store` is the repository with the objects, `checkout` a working tree to read instead."""
        self.root = root
        self.shown = shown
        self.files = files
        self.private = private
        self._environ = environ
        self._store = store
        self._checkout = checkout

    @property
    def is_checkout(self) -> bool:
        """Say whether the files lie in a working tree, and not in a commit."""
        return bool(self._checkout)

    def directory(self, manifests: str) -> str:
        """Return the directory that holds the files, written there when first asked.

        `manifests` is the directory, from the root, whose files are written however large they are.
        Raises: StackError, StoreError.
        """
        if not self._checkout:
            self._checkout = os.path.join(self.private, "files")
            self._write(manifests)
        return self._checkout

    def content(self, path: str) -> bytes:
        """Return the bytes of one file. Raises: StackError."""
        name = self.files[path].name
        return next(data for _, data in objects.contents(self._store, [name], self._environ))

    def _write(self, manifests: str) -> None:
        """Write the files down: plain ones first, so that no link leads them astray."""
        made = {self._checkout}
        os.makedirs(self._checkout, 0o700)
        wanted: dict[str, list[str]] = {}
        links: list[tuple[str, str]] = []
        for path, entry in self.files.items():
            if entry.mode == objects.SUBMODULE:
                links.append((path, os.path.join(self.root, path)))
            elif entry.size <= _LARGE or path.startswith(f"{manifests}/"):
                wanted.setdefault(entry.name, []).append(path)
        for name, data in objects.contents(self._store, list(wanted), self._environ):
            for path in wanted[name]:
                if self.files[path].mode == objects.LINK:
                    links.append((path, os.fsdecode(data)))
                else:
                    self._put(path, data, made)
        for path, target in links:
            full = os.path.join(self._checkout, path)
            os.makedirs(os.path.dirname(full), 0o700, exist_ok=True)
            if target and "\0" not in target:
                os.symlink(target, full)

    def _put(self, path: str, data: bytes, made: set[str]) -> None:
        full = os.path.join(self._checkout, path)
        parent = os.path.dirname(full)
        if parent not in made:
            os.makedirs(parent, 0o700, exist_ok=True)
            made.add(parent)
        mode = 0o700 if self.files[path].mode == "100755" else 0o600
        opened = os.open(full, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
        with os.fdopen(opened, "wb") as stream:
            stream.write(data)


def check(against: Against) -> None:
    """Refuse options that do not go together. Raises: UsageError. Source: Atmos's own words."""
    given = (against.base, against.ref, against.sha, against.ssh_key, against.ssh_key_password)
    if against.repo_path and any(given):
        raise UsageError(
            "if the '--repo-path' flag is specified, the '--base', '--ref', '--sha', '--ssh-key' "
            "and '--ssh-key-password' flags can't be used"
        )
    if against.repo_path and against.clone:
        raise UsageError("--repo-path names a clone that is there: --clone-target-ref makes one")
    if against.ssh_key and not against.clone:
        raise UsageError(
            "--ssh-key is for fetching, and nothing is fetched without --clone-target-ref",
            hint="add --clone-target-ref, or leave --ssh-key out: git's objects are read as they are",
        )


@contextmanager
def opened(against: Against, directory: str, world: World) -> Iterator[Baseline]:
    """Give the other side of a comparison of the repository that a directory is in.

    What is written for it is gone afterwards, also when a signal ends the process.
    Raises: UsageError, StackError, StoreError, ToolMissing.
    """
    check(against)
    environ = world.environ
    root = objects.top_level(directory, environ)
    if against.repo_path:
        yield _checkout(against.repo_path, root, world)
        return
    with _private_directory(environ) as private:
        if against.clone:
            store = os.path.join(private, "clone")
            commit = _fetched(against, root, store, private, environ)
        else:
            store, commit = root, resolve(against, root, environ)
        files = objects.of_commit(store, commit, environ)
        shown = f"{against.wanted or _DEFAULT} ({commit[:8]})"
        yield Baseline(root, shown, files, environ, store=store, private=private)


def _checkout(path: str, root: str, world: World) -> Baseline:
    other = os.path.join(world.cwd, os.path.expanduser(path))
    if not os.path.isdir(other):
        raise UsageError(f"--repo-path: there is no directory {other}")
    top = objects.top_level(other, world.environ)
    files = objects.of_working_tree(top, world.environ)
    return Baseline(root, top, files, world.environ, checkout=top)


@contextmanager
def _private_directory(environ: Mapping[str, str]) -> Iterator[str]:
    """Give a directory of our own that is removed whatever ends us, but for SIGKILL."""
    import shutil
    import signal
    import tempfile
    from types import FrameType

    from wrapper.errors import StoreError

    own = os.getpid()

    def end(number: int, _frame: FrameType | None) -> None:
        if os.getpid() != own:  # a helper that reads manifests: it has nothing to clean up
            os._exit(128 + number)
        raise SystemExit(128 + number)

    before = {n: signal.signal(n, end) for n in (signal.SIGTERM, signal.SIGHUP)}
    private = ""
    try:
        try:
            private = tempfile.mkdtemp(prefix="atmos-wrap-base-", dir=environ.get("TMPDIR") or None)
        except OSError as error:
            raise StoreError(
                f"cannot make a directory for what is compared with: {error.strerror}",
                hint="TMPDIR must name a directory that can be written",
            ) from error
        yield os.path.realpath(private)
    finally:
        if private:
            shutil.rmtree(private, ignore_errors=True)
        for number, handler in before.items():
            signal.signal(number, handler)


def resolve(against: Against, root: str, environ: Mapping[str, str]) -> str:
    """Return the full name of the commit that is compared with.

    `--base` is a branch of the remote `origin`, else whatever git takes for a commit; with three
    dots behind it, the commit where HEAD left it. Without anything it is the default branch of
    `origin`. Raises: StackError with what to fetch. Source: Atmos's documentation of the command.
    """
    wanted = against.wanted
    since = wanted.endswith("...")
    for name in _meanings(against, wanted.removesuffix("...")):
        found = _commit(name, root, environ)
        if found:
            return _fork_point(found, wanted, root, environ) if since else found
    raise _unknown(wanted.removesuffix("..."), root, environ)


def _meanings(against: Against, wanted: str) -> list[str]:
    if not wanted:
        return [_DEFAULT]
    if wanted.startswith("-"):
        raise UsageError(f'"{wanted}" names no commit')
    if against.base and not _NAME.match(wanted) and not wanted.startswith(("refs/", "HEAD", "@")):
        return [f"refs/remotes/origin/{wanted}", wanted]
    return [wanted]


def _commit(name: str, root: str, environ: Mapping[str, str]) -> str:
    try:
        found = objects.ask(
            root, ["rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}"],
            environ,
        )  # fmt: skip
    except Refused:
        return ""
    return found.strip()


def _fork_point(commit: str, wanted: str, root: str, environ: Mapping[str, str]) -> str:
    try:
        found = objects.ask(root, ["merge-base", "HEAD", commit], environ)
    except Refused as error:
        shallow = _is_shallow(root, environ)
        raise StackError(
            f"where HEAD left {wanted.removesuffix('...')} is not known: no common commit",
            hint="this clone is shallow: `git fetch --unshallow origin`" if shallow else None,
        ) from error
    return found.strip()


def _is_shallow(root: str, environ: Mapping[str, str]) -> bool:
    return objects.ask(root, ["rev-parse", "--is-shallow-repository"], environ).strip() == "true"


def _unknown(wanted: str, root: str, environ: Mapping[str, str]) -> StackError:
    """Return the error for a commit that is not here, with the command that brings it."""
    if not wanted:
        return StackError(
            f"the default branch of the remote is not known here ({_DEFAULT})",
            hint=[
                "name what to compare with: --base main",
                "or `git remote set-head origin --auto`",
            ],
        )
    branch = (
        wanted.removeprefix("refs/remotes/").removeprefix("refs/heads/").removeprefix("origin/")
    )
    is_shallow = _is_shallow(root, environ)
    fetch = ""
    if _NAME.match(branch):
        fetch = f"git fetch --depth=1 origin {branch}"
    elif wanted.startswith(("HEAD", "@")) or not _BRANCH.match(branch):
        fetch = "git fetch --unshallow origin" if is_shallow else ""
    else:
        fetch = f"git fetch --depth=1 origin {branch}:refs/remotes/origin/{branch}"
    shallow = "this clone is shallow and " if is_shallow else ""
    return StackError(
        f'{shallow}git does not know the commit "{wanted}"', hint=f"`{fetch}`" if fetch else None
    )


def _fetched(
    against: Against, root: str, store: str, private: str, environ: Mapping[str, str]
) -> str:
    """Fetch the wanted commit of `origin`, alone, into a repository of our own; return its name.

    Nothing of the user's repository but the address of `origin` has a part in it.
    """
    wanted = against.wanted
    if wanted.endswith("..."):
        raise UsageError("--clone-target-ref fetches one commit: where HEAD left it is not known")
    try:
        address = objects.ask(root, ["remote", "get-url", "origin"], environ).strip()
    except Refused as error:
        raise StackError('there is no remote "origin" to clone from') from error
    if address.startswith("-") or wanted.startswith("-"):
        raise StackError(f"the address of the remote is none: {address}")
    if not os.path.isabs(address) and os.path.isdir(os.path.join(root, address)):
        address = os.path.join(root, address)
    ref = re.sub(r"\Arefs/remotes/origin/", "refs/heads/", wanted) or "HEAD"
    objects.ask(private, ["init", "--quiet", "--bare", "--template=", store], environ)
    try:
        objects.ask(
            store,
            ["fetch", "--quiet", "--depth=1", "--no-tags", "--no-recurse-submodules",
             "--no-auto-maintenance", address, f"+{ref}:refs/heads/base"],
            {**environ, **_ssh(against, private, environ)},
            _PROTOCOLS,
        )  # fmt: skip
    except Refused as error:
        raise StackError(
            f"cannot fetch {ref} from {_without_user(address)}: {error.said}"
        ) from error
    return objects.ask(store, ["rev-parse", "refs/heads/base^{commit}"], environ).strip()


def _without_user(address: str) -> str:
    return re.sub(r"(?<=://)[^@/]*@", "", address)


def _ssh(against: Against, private: str, environ: Mapping[str, str]) -> dict[str, str]:
    """Return the variables that let ssh use the key, and open it with its password."""
    import shlex

    if not against.ssh_key:
        return {}
    key = os.path.abspath(os.path.expanduser(against.ssh_key))
    if not os.path.isfile(key):
        raise UsageError(f"--ssh-key: there is no file {key}")
    found = {"GIT_SSH_COMMAND": f"ssh -i {shlex.quote(key)} -o IdentitiesOnly=yes"}
    if against.ssh_key_password:
        asked = os.path.join(private, "askpass")
        with open(os.open(asked, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o700), "w") as stream:
            stream.write('#!/bin/sh\nprintf "%s\\n" "$ATMOS_WRAP_SSH_KEY_PASSWORD"\n')
        found |= {
            "SSH_ASKPASS": asked,
            "SSH_ASKPASS_REQUIRE": "force",
            "DISPLAY": environ.get("DISPLAY", ":"),
            "ATMOS_WRAP_SSH_KEY_PASSWORD": against.ssh_key_password,
        }
    return found
