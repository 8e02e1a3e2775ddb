"""Outputs in the formats of `terraform output --format`.

Source: reference/atmos-stacks.md 5.8, and Atmos's own page of the command.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from wrapper.errors import StackError, UsageError, near
from wrapper.terraform import gojson, hcltext
from wrapper.typed import Any, NamedTuple

FORMATS = ("json", "yaml", "hcl", "env", "dotenv", "bash", "csv", "tsv", "table", "github")
# Lines that are added to a file; the others are a whole document, and take its place.
ADDED = ("env", "dotenv", "bash", "github")
# One output that is a list or a map has no form in these.
_SCALARS = ("env", "dotenv", "bash", "csv", "tsv")
# What a name has to look like: anything else would be another line, or code.
_NAMES = {
    "bash": re.compile(r"[A-Za-z_][A-Za-z0-9_]*"),
    "dotenv": re.compile(r"[A-Za-z0-9_.-]+"),
    "env": re.compile(r"[^\x00-\x20\x7f-\x9f=\u2028\u2029]+"),
    "github": re.compile(r"[^\x00-\x20\x7f-\x9f=<\u2028\u2029]+"),
    "hcl": re.compile(r"[^\W\d][\w-]*"),
}
_HIDDEN = "<sensitive>"


class Output(NamedTuple):
    """An output of a component; `sensitive` as the module declares it."""

    value: Any
    sensitive: bool = False


class Rendered(NamedTuple):
    """Outputs as text; `left_out` are names that the format cannot hold."""

    text: str
    left_out: tuple[str, ...] = ()


def read(told: bytes) -> dict[str, Output]:
    """Return what `terraform output -json` told. Raises: StackError when it is something else."""
    import json

    try:
        found = json.loads(told or b"{}")
        return {
            str(name): Output(one["value"], one.get("sensitive") is True)
            for name, one in found.items()
        }
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise StackError("terraform output gave no JSON") from error


def values(told: bytes) -> dict[str, Any]:
    """Return the values alone of what `read` reads. Raises: StackError."""
    return {name: one.value for name, one in read(told).items()}


def render(
    outputs: Mapping[str, Output],
    form: str,
    name: str | None = None,
    *,
    uppercase: bool = False,
    flatten: bool = False,
) -> Rendered:
    """Return all outputs, or the one called `name`, in one of FORMATS; null only where it can be.

    `flatten` makes one entry of each value in lists and maps, `uppercase` changes names. A table is
    for eyes: what is sensitive is hidden there, unless it is asked for by name.

    Raises: StackError for a name that is not there, and for names that would become the same;
    UsageError for a list or a map that the format has no form for.
    """
    if name is not None:
        if name not in outputs:
            hint = (
                near(name, sorted(outputs)) or f"there are: {', '.join(sorted(outputs)) or 'none'}"
            )
            raise StackError(f'there is no output "{name}"', hint=hint)
        only = outputs[name]
        if form in ("json", "yaml"):
            return Rendered(_document(only.value, form))
        if isinstance(only.value, dict | list) and form in _SCALARS and not flatten:
            raise UsageError(
                f'the output "{name}" is a list or a map: --format {form} has no form for it',
                hint="use --format json or yaml, or --flatten",
            )
        outputs = {name: only._replace(sensitive=False)}
    entries: Iterable[tuple[str, Output]] = outputs.items()
    if flatten:
        entries = [pair for key, one in entries for pair in _flat(key, one)]
    if uppercase:
        entries = [(key.upper(), one) for key, one in entries]
    found = _unique(entries)
    if form in ("json", "yaml"):
        return Rendered(_document({key: one.value for key, one in found.items()}, form))
    found = {key: found[key] for key in sorted(found) if found[key].value is not None}
    known = _NAMES.get(form)
    kept = {key: one for key, one in found.items() if known is None or known.fullmatch(key)}
    left_out = tuple(key for key in found if key not in kept)
    if form in ("csv", "tsv", "table"):
        return Rendered(_rows(kept, form, header=name is None or flatten))
    line = _LINES[form]
    return Rendered("".join(line(key, one.value) for key, one in kept.items()), left_out)


def _flat(key: str, one: Output) -> list[tuple[str, Output]]:
    """Return the values below an output, each with the way to it in its name."""
    if isinstance(one.value, Mapping):
        below = [(f"{key}_{inner}", value) for inner, value in one.value.items()]
    elif isinstance(one.value, list):
        below = [(f"{key}_{index}", value) for index, value in enumerate(one.value)]
    else:
        return [(key, one)]
    return [pair for name, value in below for pair in _flat(name, one._replace(value=value))]


def _unique(entries: Iterable[tuple[str, Output]]) -> dict[str, Output]:
    """Return entries by name. Raises: StackError for two with one name: in Atmos chance decides."""
    found: dict[str, Output] = {}
    for key, one in entries:
        if key in found:
            raise StackError(
                f'two outputs would be called "{key}"',
                hint="leave --flatten or --uppercase out, or name one output",
            )
        found[key] = one
    return found


def _document(value: Any, form: str) -> str:
    if form == "json":
        return gojson.for_html(gojson.dumps(value, "  ")) + "\n"
    from wrapper import goyaml

    return goyaml.dumps(value)


def _rows(outputs: Mapping[str, Output], form: str, *, header: bool) -> str:
    """Return a line for each output, below the names of the columns."""
    rows = [("Key", "Value") if form == "table" else ("key", "value")] if header else []
    for key, one in outputs.items():
        hidden = form == "table" and one.sensitive
        rows.append((key, _HIDDEN if hidden else text_of(one.value)))
    if form == "table":
        from wrapper import ui

        return "".join("\t".join(map(ui.line, row)) + "\n" for row in rows)
    mark = "," if form == "csv" else "\t"
    return "".join(mark.join(_cell(cell, mark) for cell in row) + "\n" for row in rows)


def _cell(text: str, mark: str) -> str:
    if not any(character in text for character in (mark, '"', "\n", "\r")):
        return text
    return '"' + text.replace('"', '""') + '"'


def text_of(value: Any) -> str:
    """Return a value as the text of a variable: numbers as Go prints them, lists and maps as JSON."""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return ""
    if isinstance(value, float) and 0 < abs(value) < 1e-4:
        from wrapper import goyaml

        return goyaml.number(value)
    return gojson.for_html(gojson.dumps(value))


def _quoted(value: Any) -> str:
    return "'" + text_of(value).replace("'", "'\\''") + "'"


def _env(key: str, value: Any) -> str:
    return f"{key}={text_of(value)}\n"


def _dotenv(key: str, value: Any) -> str:
    return f"{key}={_quoted(value)}\n"


def _bash(key: str, value: Any) -> str:
    return f"export {key}={_quoted(value)}\n"


def _github(key: str, value: Any) -> str:
    from wrapper import shells

    return shells.render("github", {key: text_of(value)})


def _hcl(key: str, value: Any) -> str:
    return f"{key} = {_expression(value)}\n"


def _expression(value: Any) -> str:
    """Return a value as an expression of HCL, laid out as Atmos does."""
    if isinstance(value, list):
        return f"[{', '.join(map(_expression, value))}]"
    if isinstance(value, Mapping) and value:
        lines = [f"    {hcltext.name(key)} = {_expression(value[key])}\n" for key in sorted(value)]
        return "{\n" + "".join(lines) + "  }"
    return hcltext.expression(value)


_LINES: Mapping[str, Callable[[str, Any], str]] = {
    "hcl": _hcl,
    "env": _env,
    "dotenv": _dotenv,
    "bash": _bash,
    "github": _github,
}
