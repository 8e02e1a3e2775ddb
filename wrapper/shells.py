"""Variables as text: for shells, for files of variables, for GitHub Actions.

Source: reference/atmos-auth.md 7.3.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping

from wrapper.errors import UsageError

_SAFE = re.compile(r"[A-Za-z0-9_@%+=:,./-]+\Z")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def quote(value: str) -> str:
    """Return a word of a POSIX shell: in single quotes unless it is safe as it is."""
    if _SAFE.match(value):
        return value
    return "'" + value.replace("'", "'\"'\"'") + "'"


def quote_fish(value: str) -> str:
    """Return a word of fish: in single quotes unless it is safe as it is."""
    if _SAFE.match(value):
        return value
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _posix(values: Mapping[str, str], unset: Collection[str]) -> str:
    lines = [f"unset {name}\n" for name in sorted(unset) if _NAME.match(name)]
    return "".join(lines) + _lines(values, lambda k, v: f"export {k}={quote(v)}")


def _fish(values: Mapping[str, str], unset: Collection[str]) -> str:
    lines = [f"set -e {name}\n" for name in sorted(unset) if _NAME.match(name)]
    return "".join(lines) + _lines(values, lambda k, v: f"set -gx {k} {quote_fish(v)}")


def _dotenv(values: Mapping[str, str], unset: Collection[str]) -> str:  # noqa: ARG001
    return _lines(values, lambda k, v: f"{k}={quote(v)}")


def _env(values: Mapping[str, str], unset: Collection[str]) -> str:  # noqa: ARG001
    return _lines(values, lambda k, v: f"{k}={v}", only_names=False)


def _github(values: Mapping[str, str], unset: Collection[str]) -> str:  # noqa: ARG001
    return _lines(values, _github_line, only_names=False)


def _github_line(name: str, value: str) -> str:
    if "\n" not in value and "\r" not in value:
        return f"{name}={value}"
    mark, count = f"ATMOS_EOF_{name}", 0
    while mark in value:
        mark, count = f"ATMOS_EOF_{name}_{count}", count + 1
    return f"{name}<<{mark}\n{value}\n{mark}"


def _json(values: Mapping[str, str], unset: Collection[str]) -> str:  # noqa: ARG001
    import json

    return json.dumps(dict(sorted(values.items())), indent=2, ensure_ascii=False) + "\n"


def _lines(
    values: Mapping[str, str], line: Callable[[str, str], str], *, only_names: bool = True
) -> str:
    """Return one line per variable, sorted; what is no name of a variable would be code to a shell."""
    kept = [k for k in sorted(values) if _NAME.match(k) or (not only_names and "=" not in k)]
    return "".join(line(k, values[k]) + "\n" for k in kept)


FORMATS: Mapping[str, Callable[[Mapping[str, str], Collection[str]], str]] = {
    "bash": _posix,
    "zsh": _posix,
    "fish": _fish,
    "dotenv": _dotenv,
    "env": _env,
    "github": _github,
    "json": _json,
}
# Formats that can take a variable away.
UNSETTING = ("bash", "zsh", "fish")


def render(form: str, values: Mapping[str, str], unset: Collection[str] = ()) -> str:
    """Return variables in one of FORMATS, sorted by name.

    Raises: UsageError for a format that is not known.
    """
    if form not in FORMATS:
        raise UsageError(f"unsupported format: {form}", hint=f"one of {', '.join(FORMATS)}")
    return FORMATS[form](values, unset)
