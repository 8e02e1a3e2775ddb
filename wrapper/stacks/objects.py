"""What git knows of a repository's files, asked so that nothing the repository names is run.

Only commands that read are used: no checkout, no diff, no archive. So no hook, filter, external
diff or file system monitor of the repository's configuration has a part in it, and nothing is
fetched. docs/explanation/threat-model.md says against whom.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence

from wrapper.errors import StackError, ToolMissing
from wrapper.typed import NamedTuple

# Variables by which a hook or an alias of git points its children to another repository.
_ELSEWHERE = frozenset(
    """GIT_DIR GIT_WORK_TREE GIT_INDEX_FILE GIT_OBJECT_DIRECTORY GIT_ALTERNATE_OBJECT_DIRECTORIES
    GIT_COMMON_DIR GIT_NAMESPACE GIT_PREFIX GIT_GRAFT_FILE GIT_SHALLOW_FILE GIT_IMPLICIT_WORK_TREE
    GIT_INTERNAL_SUPER_PREFIX GIT_EXTERNAL_DIFF GIT_ATTR_SOURCE GIT_LITERAL_PATHSPECS
    GIT_GLOB_PATHSPECS GIT_NOGLOB_PATHSPECS GIT_ICASE_PATHSPECS""".split()
)
_QUIET = (
    "-c", "core.fsmonitor=false", "-c", "core.untrackedCache=false",
    "-c", f"core.hooksPath={os.devnull}", "-c", "core.quotePath=false",
)  # fmt: skip
LINK, SUBMODULE, PLAIN = "120000", "160000", "100644"


class Entry(NamedTuple):
    """A file of a commit or of the index. `mode` is git's, in octal; `size` -1 when not known.

    `hidden` files are in the index and, by a sparse checkout, not in the working tree.
    """

    mode: str
    name: str
    size: int = -1
    hidden: bool = False


class Refused(StackError):
    """Git did not do what it was asked; `said` is its own last line."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message)
        self.said = said


def environment(environ: Mapping[str, str], protocols: str = "none") -> dict[str, str]:
    """Return the environment that git is run in; `protocols` are those it may fetch by."""
    kept = {name: value for name, value in environ.items() if name not in _ELSEWHERE}
    return {
        **kept,
        "GIT_ALLOW_PROTOCOL": protocols,
        "GIT_NO_LAZY_FETCH": "1",
        "GIT_OPTIONAL_LOCKS": "0",
        "LC_ALL": "C",
    }


def ask(
    root: str, arguments: Sequence[str], environ: Mapping[str, str], protocols: str = "none"
) -> str:
    """Return what a git command prints. Raises: Refused, ToolMissing."""
    from subprocess import DEVNULL, PIPE

    from wrapper import children

    try:
        done = children.run(
            ["git", *_QUIET, "-C", root, *arguments],
            env=environment(environ, protocols),
            stdin=DEVNULL,
            stdout=PIPE,
            stderr=PIPE,
        )
    except FileNotFoundError as error:
        raise ToolMissing("git is not installed, or not in PATH") from error
    except OSError as error:
        raise ToolMissing(f"git cannot be run: {error.strerror}") from error
    if done.returncode:
        told = done.stderr.decode("utf-8", "replace").strip().splitlines()
        said = told[-1] if told else f"exit code {done.returncode}"
        raise Refused(f"git {arguments[0]}: {said}", said)
    return done.stdout.decode("utf-8", "surrogateescape")


def top_level(directory: str, environ: Mapping[str, str]) -> str:
    """Return the root of the working tree that a directory is in. Raises: StackError."""
    try:
        found = ask(directory, ["rev-parse", "--show-toplevel"], environ)
    except Refused as error:
        hint = "what differs is read from git: change to a clone of the repository"
        if "work tree" in error.said:
            hint = "this is a bare repository: run it in a working tree (`git worktree add`)"
        raise StackError(
            f"{directory} is not in the working tree of a git repository ({error.said})", hint=hint
        ) from error
    return os.path.realpath(found.rstrip("\n"))


def of_commit(root: str, commit: str, environ: Mapping[str, str]) -> dict[str, Entry]:
    """Return every file of a commit by its path from the root. Raises: StackError."""
    found: dict[str, Entry] = {}
    command = ["ls-tree", "-r", "-z", "--full-tree", commit]
    try:
        listed = ask(root, [*command, "-l"], environ)
    except Refused:  # a partial clone does not know the size of what it has not got
        listed = ask(root, command, environ)
    for line in _lines(listed):
        told, _, path = line.partition("\t")
        mode, _, name, *size = told.split()
        _check(path)
        found[path] = Entry(mode, name, int(size[0]) if size and size[0].isdecimal() else -1)
    return found


def of_working_tree(root: str, environ: Mapping[str, str]) -> dict[str, Entry]:
    """Return the files that git follows, and those that it would: new and not ignored.

    What runs of Terraform leave behind is no file of anybody, unless git follows it. The name of
    a new file is ''. Raises: StackError.
    """
    found: dict[str, Entry] = {}
    for line in _lines(ask(root, ["ls-files", "-z", "-t", "--stage"], environ)):
        told, _, path = line.partition("\t")
        tag, mode, name, _stage = told.split()
        found[path] = Entry(mode, name, hidden=tag == "S")
    new = ask(root, ["ls-files", "-z", "--others", "--exclude-standard"], environ)
    for path in _lines(new):
        if not path.endswith("/") and not is_left_behind(path):
            found.setdefault(path, Entry(PLAIN, ""))
    return found


def is_left_behind(path: str) -> bool:
    """Say whether a file is one that runs of Terraform write beside the code."""
    name = os.path.basename(path)
    return (
        name in ("backend.tf.json", "providers_override.tf.json", "terraform_override.tf.json")
        or name in (".terraform.lock.hcl", ".terraform.tfstate.lock.info", "crash.log")
        or name.endswith((".terraform.tfvars.json", ".planfile", ".tfstate", ".tfstate.backup"))
        or not {".terraform", "terraform.tfstate.d"}.isdisjoint(path.split("/"))
    )


def contents(
    root: str, names: Sequence[str], environ: Mapping[str, str]
) -> Iterator[tuple[str, bytes]]:
    """Yield the objects with these names, in any number, each with its bytes.

    Raises: StackError for one that is not there.
    """
    import subprocess
    import threading

    child = subprocess.Popen(
        ["git", *_QUIET, "-C", root, "cat-file", "--batch"],
        env=environment(environ),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
    )
    stdin, stdout = child.stdin, child.stdout
    assert stdin is not None
    assert stdout is not None

    def feed() -> None:
        try:
            stdin.write("".join(f"{name}\n" for name in names).encode())
            stdin.close()
        except OSError:  # it has ended: the reader tells
            return

    feeder = threading.Thread(target=feed, daemon=True)
    feeder.start()
    try:
        for name in names:
            head = stdout.readline().split()
            if len(head) != 3 or head[1] != b"blob":
                raise StackError(
                    f"git has not got the file with the name {name[:12]}",
                    hint="a partial clone leaves out what was not needed: `--clone-target-ref` "
                    "fetches what is compared with",
                )
            size = int(head[2])
            data = stdout.read(size)
            stdout.read(1)
            yield name, data
    finally:
        child.kill()
        child.wait()
        feeder.join()
        stdout.close()


def name_of(data: bytes, like: str) -> str:
    """Return the name that git gives to a file's bytes, by the hash that `like` was made with."""
    import hashlib

    make = hashlib.sha256 if len(like) == 64 else hashlib.sha1
    return make(b"blob %d\0" % len(data) + data).hexdigest()


def _lines(text: str) -> list[str]:
    return [line for line in text.split("\0") if line]


def _check(path: str) -> None:
    """Refuse a path that would leave the directory it is written to. Raises: StackError."""
    parts = path.split("/")
    if any(part in ("", ".", "..") or part.lower() == ".git" for part in parts):
        raise StackError(f"the commit holds a file with a path that no checkout may have: {path}")
