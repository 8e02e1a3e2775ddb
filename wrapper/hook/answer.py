"""What a shell is told about one directory, and the text that tells it."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from wrapper import files, sha256
from wrapper.errors import StoreError, UsageError
from wrapper.hook import code
from wrapper.typed import NamedTuple

SHELLS = ("bash", "zsh", "fish")
NAME = "=env"
# The text for directories below that have none of their own.
BELOW = "=below"
# Beside a text of fish, which has no clock: a file whose time is when the session ends.
_UNTIL = "-until"
quoted = code.quoted
# In seconds: a file that was written while it was being read must be newer than the text made from it.
GRAIN = 0.02
# What the user may change in a shell, and what then is another answer for the same directory.
# The shell files join these in this order.
INPUTS = (
    "ATMOS_IDENTITY", "ATMOS_PROFILE", "ATMOS_STACK", "ATMOS_BASE_PATH", "ATMOS_CLI_CONFIG_PATH",
    "ATMOS_CONFIG", "ATMOS_CONFIG_PATH", "ATMOS_WRAP_USE", "HOME", "XDG_STATE_HOME", "XDG_CONFIG_HOME",
)  # fmt: skip
# Those of them that are or hold paths which may start at the working directory.
PLACES = ("ATMOS_BASE_PATH", "ATMOS_CLI_CONFIG_PATH")


class Answer(NamedTuple):
    """What holds in a directory.

    `values` and `unset` are what the hook lays over the shell's environment, `prefixes` begin the
    names that go as well. `watch`: paths whose change is a new question; `absent`: paths that must
    not appear. `expires` in seconds since the epoch, 0 for never. `root` is the repository, '' for
    none; `say` what the user is told once for it. `asked` is the join of INPUTS. `apart`: a
    directory below in which the answer is another, '' for none.
    """

    root: str = ""
    values: Mapping[str, str] = {}
    unset: Sequence[str] = ()
    prefixes: Sequence[str] = ()
    watch: Sequence[str] = ()
    absent: Sequence[str] = ()
    expires: int = 0
    say: str = ""
    asked: str = ""
    apart: str = ""


def asked(environ: Mapping[str, str]) -> str:
    """Return what the user's variables ask for, as the shell files join it."""
    return "|".join(environ.get(name, "") for name in INPUTS)


def place(environ: Mapping[str, str], shell: str, directory: str, name: str = NAME) -> str:
    """Return where a directory's text is kept: the cache mirrors the tree of directories."""
    return f"{home(environ, shell)}{directory.rstrip('/')}/{name}"


def home(environ: Mapping[str, str], shell: str) -> str:
    """Return the directory of the texts of one shell."""
    return os.path.join(os.path.abspath(files.cache_dir(environ)), "hook", code.FORM, shell)


def text(answer: Answer, shell: str, stamp: str, directory: str = "", until: str = "") -> str:
    """Return code of a shell that says an answer; the shell file knows what to do with it.

    `stamp` is the file whose time the watched ones are compared with, '' when there is none; of
    `until` the time is the session's end.
    Raises: UsageError for a shell that has no hook.
    """
    if shell not in SHELLS:
        raise UsageError(f"there is no hook for {shell}", hint=f"one of {', '.join(SHELLS)}")
    return code.of(answer, shell, stamp, directory, until)


def keep(
    answer: Answer,
    shell: str,
    directory: str,
    environ: Mapping[str, str],
    at: float,
    *,
    below: bool = False,
) -> str:
    """Keep an answer for the next time; return the text. `at` is when reading for it began.

    `below`: for directories below that one. A cache that cannot be written only costs time: then
    the text names no stamp.
    """
    kept = place(environ, shell, directory, BELOW if below else NAME)
    if not directory.startswith("/") or "/../" in f"{directory}/":
        return text(answer, shell, "")
    if not files.owns(os.path.dirname(home(environ, shell))):
        return text(answer, shell, "")
    # Shells that have an earlier answer must not take the time of this one for the time of theirs.
    stamp = f"{kept}-{sha256.hexdigest(repr(answer).encode('utf-8', 'surrogateescape'))[:16]}"
    until = f"{stamp}{_UNTIL}" if shell == "fish" and answer.expires else ""
    found = text(answer, shell, stamp, "" if below else directory, until)
    try:
        if until:
            files.write_cache(until, b"")
            os.utime(until, (answer.expires, answer.expires))
        files.write_cache(stamp, b"")
        os.utime(stamp, (at - GRAIN, at - GRAIN))
        files.write_cache(kept, found.encode("utf-8", "surrogateescape"))
        _tidy(kept, stamp)
    except (StoreError, OSError, OverflowError, ValueError):
        return text(answer, shell, "")
    return found


def _tidy(kept: str, stamp: str) -> None:
    """Remove the stamps of earlier answers: shells that have one of those look again."""
    for entry in os.listdir(os.path.dirname(kept)):
        path = os.path.join(os.path.dirname(kept), entry)
        if path.startswith(f"{kept}-") and not path.startswith(stamp):
            os.unlink(path)
