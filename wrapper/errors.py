"""What can go wrong, as a shallow tree named for what the caller does next."""

from __future__ import annotations

from collections.abc import Sequence

from wrapper.typed import NamedTuple


class Location(NamedTuple):
    """A place in a file; line and column count from 1."""

    path: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.path}:{self.line}:{self.column}"


class WrapError(Exception):
    """An error with a place and advice; `__main__` alone turns it into text and an exit code."""

    exit_code = 70

    def __init__(
        self,
        message: str,
        *,
        at: Location | str | Sequence[Location | str] | None = None,
        hint: str | Sequence[str] | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.at: tuple[Location | str, ...] = _several(at)
        self.hints: tuple[str, ...] = (hint,) if isinstance(hint, str) else tuple(hint or ())


def _several(at: Location | str | Sequence[Location | str] | None) -> tuple[Location | str, ...]:
    if at is None:
        return ()
    if isinstance(at, Location | str):
        return (at,)
    return tuple(at)


class UsageError(WrapError):
    """The command line is wrong."""

    exit_code = 64


class ConfigError(WrapError):
    """`atmos.yaml`, a profile or an `auth` section is wrong."""

    exit_code = 78


class StackError(WrapError):
    """A manifest is wrong, or a stack or component is not there."""

    exit_code = 78


class AuthError(WrapError):
    """A sign-in was refused: stop."""

    exit_code = 77


class NeedsLogin(AuthError):
    """A person would have to be asked, and none is there."""


class Unavailable(AuthError):
    """This source has nothing to give: try the next one."""


class StoreError(WrapError):
    """A file, directory or keyring of ours cannot be read or written."""

    exit_code = 69


class ToolMissing(WrapError):
    """A program that has to run is not installed."""

    exit_code = 127


class InternalError(WrapError):
    """A fault of this program."""


class Interrupted(WrapError):
    """The user said stop."""

    exit_code = 130


class Problems(ConfigError):
    """Several configuration errors at once, in stable order."""

    def __init__(self, problems: Sequence[WrapError]) -> None:
        super().__init__(f"{len(problems)} problems")
        self.problems = tuple(problems)


def near(wanted: str, names: Sequence[str]) -> str | None:
    """Return the hint `did you mean …?` for the names nearest to a wrong one, or None.

    Exact matches without case come first. At most three names are given.
    """
    folded = [name for name in names if name.lower() == wanted.lower()]
    if not folded:
        import difflib

        lower = {name.lower(): name for name in names}
        close = difflib.get_close_matches(wanted.lower(), list(lower), n=3, cutoff=0.6)
        folded = [lower[name] for name in close]
    if not folded:
        return None
    return "did you mean " + " or ".join(f'"{name}"' for name in folded) + "?"
