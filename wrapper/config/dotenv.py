"""Dotenv files: `KEY=value` lines."""

from __future__ import annotations

import re

from wrapper.errors import ConfigError, Location

_LINE = re.compile(r"\s*(?:export\s+)?([A-Za-z_][A-Za-z0-9_.]*)\s*[=:]\s*(.*?)\s*\Z")
_ESCAPES = {"n": "\n", "r": "\r", "t": "\t"}


def parse(text: str, path: str) -> dict[str, str]:
    r"""Return the variables of a dotenv file, in the file's order.

    Double quotes know `\n`, `\r`, `\t`; single quotes nothing; bare values end at ` #`.
    Raises: ConfigError with the line.
    """
    variables: dict[str, str] = {}
    for number, line in enumerate(text.removeprefix("\ufeff").splitlines(), 1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.match(line)
        if not match:
            raise ConfigError("not a KEY=value line", at=Location(path, number, 1))
        value = _value(match.group(2))
        if value is None:
            raise ConfigError("a quote is not closed", at=Location(path, number, 1))
        variables[match.group(1)] = value
    return variables


def _value(text: str) -> str | None:
    quote = text[:1]
    if quote in ("'", '"'):
        body = re.match(r"'([^']*)'" if quote == "'" else r'"((?:[^"\\]|\\.)*)"', text)
        if body is None:
            return None
        if quote == "'":
            return body.group(1)
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), m.group(1)), body.group(1))
    return re.split(r"\s#", text, maxsplit=1)[0].strip()
