"""Where templates are applied: files at import, import paths, locals, whole components.

Source: reference/atmos-stacks.md 3.4, 3.5, 3.6, 3.12.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError, WrapError
from wrapper.merge import Append
from wrapper.stacks import deferred, template
from wrapper.stacks.manifest import Manifest, is_template, parse, read_bytes
from wrapper.stacks.settings import Settings, truth
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.stacks.imports import Entry

Path = tuple[str | int, ...]
# Tells where the text stands that a component has under a key path, None where that is not known.
Find = Callable[[Path, str], Location | None]
# Sections of a file that its own templates may read.
_CONTEXT = ("settings", "vars", "env")
_EXACT = re.compile(r"\s*\{\{-?\s*((?:\.[A-Za-z_][A-Za-z0-9_]*)+)\s*-?\}\}\s*\Z")


def import_stage(
    path: str, entry: Entry, settings: Settings, read: Callable[[str], Manifest]
) -> dict[str, Any]:
    """Return an imported file's data, rendered with the import's context.

    Raises: StackError when the file needs a value that it is not given.
    """
    context = entry.context
    strict = not (
        entry.ignore_missing or truth(settings.templates.get("ignore_missing_template_values"))
    )
    if entry.skip_templates:
        return (
            read(path).data if not is_template(path) else _parse_text(path, settings, None, strict)
        )
    if is_template(path):
        return _parse_text(path, settings, context, strict)
    data = read(path).data
    if not _has_template(data):
        return without_locals(data)
    at = Location(path, 1, 1)
    own: dict[str, Any] = _file_context(data, path)
    rendered = typed(without_locals(data), {**own, **context}, path, at, strict)
    return rendered if isinstance(rendered, dict) else data


def _file_context(data: dict[str, Any], path: str) -> dict[str, Any]:
    """Return what a file with locals adds to the context of its import."""
    from wrapper.stacks import localvalues

    own = localvalues.of_file(data, path)
    return _known(data, own, path) if own else {}


def _known(data: Mapping[str, Any], own: Mapping[str, Any], path: str) -> dict[str, Any]:
    """Return what a file's templates may read of it: each section sees those before it rendered."""
    known: dict[str, Any] = {key: data[key] for key in _CONTEXT if key in data}
    known["locals"] = own
    for key in _CONTEXT:
        if _has_template(known.get(key)):
            try:
                known[key] = typed(known[key], known, path, Location(path, 1, 1), True)
            except StackError:
                continue  # it needs what only the component stage knows
    return known


def _parse_text(
    path: str, settings: Settings, context: Mapping[str, Any] | None, strict: bool
) -> dict[str, Any]:
    text = read_bytes(path)
    if context is not None and b"{{" in text:
        own = _file_context(_plain(text, path, settings), path) if b"locals:" in text else {}
        rendered = template.render(
            text.decode("utf-8", "replace"),
            {**own, **context},
            what="import template",
            at=Location(path, 1, 1),
            strict=strict,
        )
        text = rendered.encode()
    data = parse(text, path, (settings.stacks_dir, settings.base_path), settings.delimiter).data
    return without_locals(data)


def _plain(text: bytes, path: str, settings: Settings) -> dict[str, Any]:
    """Return what a template holds before it is rendered, nothing where that is no YAML."""
    try:
        return parse(text, path, (settings.stacks_dir, settings.base_path), settings.delimiter).data
    except StackError:
        return {}


def import_path(entry: Entry, carried: Mapping[str, Any], at: Location) -> str:
    """Return an import's path rendered over earlier imports and its own context."""
    data = {**carried, **entry.context}
    try:
        return template.render(entry.path, data, what="import path", at=at)
    except StackError as error:
        if entry.ignore_missing:
            return entry.path
        message = f"failed to render Go template in import path '{entry.path}': {error.message}"
        raise StackError(message, at=at) from error


def with_locals(data: dict[str, Any], path: str) -> dict[str, Any]:
    """Return a file's data with its templates rendered over its own locals, which are taken out.

    A file with a template that its own values cannot fill is left as it is, for the component
    stage. Raises: StackError for a loop of locals.
    """
    from wrapper.stacks import localvalues

    rest = without_locals(data)
    own = localvalues.of_file(data, path)
    if not _has_template(rest):
        return rest
    context = _known(rest, own, path)
    try:
        rendered = typed(rest, context, path, Location(path, 1, 1), True)
    except StackError:
        return rest
    return rendered if isinstance(rendered, dict) else rest


def without_locals(data: dict[str, Any]) -> dict[str, Any]:
    """Return a file's data without its file-scoped locals."""
    out = {key: value for key, value in data.items() if key != "locals"}
    for kind in ("terraform", "helmfile", "packer"):
        section = out.get(kind)
        if isinstance(section, dict) and "locals" in section:
            out[kind] = {key: value for key, value in section.items() if key != "locals"}
    return out


def _has_template(value: Any) -> bool:
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, dict):
        return any("{{" in key or _has_template(item) for key, item in value.items())
    return isinstance(value, list) and any(_has_template(item) for item in value)


def typed(value: Any, data: Mapping[str, Any], what: str, at: Location, strict: bool) -> Any:
    """Return a parsed value with its texts rendered; an exact field reference keeps its type."""
    if isinstance(value, str):
        if "{{" not in value:
            return value
        exact = _EXACT.match(value)
        if exact:
            found, there = template.lookup(data, tuple(exact.group(1)[1:].split(".")))
            if there:
                return found
        return template.render(value, data, what=what, at=at, strict=strict)
    if isinstance(value, dict):
        return {
            typed(key, data, what, at, strict) if "{{" in key else key: typed(
                item, data, what, at, strict
            )
            for key, item in value.items()
        }
    if isinstance(value, list):
        items = [typed(item, data, what, at, strict) for item in value]
        return Append(items) if isinstance(value, Append) else items
    return value


def component_stage(
    section: dict[str, Any],
    settings: Settings,
    at: Location,
    functions: template.Known,
    find: Find,
) -> dict[str, Any]:
    """Return a component's section with the templates in its texts rendered.

    Texts stay texts. `find` tells the place of a text, for errors. Raises: StackError for what cannot
    be rendered.
    """
    delimiters = settings.templates.get("delimiters")
    left, right = ("{{", "}}")
    if isinstance(delimiters, list) and len(delimiters) == 2:
        left, right = str(delimiters[0]), str(delimiters[1])
    rounds = settings.templates.get("evaluations")
    for _ in range(rounds if isinstance(rounds, int) and rounds > 0 else 1):
        stage = _Stage(deferred.shown(section), (left, right), at, functions, find)
        section = {key: _texts(value, stage, (key,)) for key, value in section.items()}
    return section


def with_component_locals(
    section: dict[str, Any], body: Any, values: Mapping[str, Any], at: Location, find: Find
) -> dict[str, Any]:
    """Return a section in which a component's own texts see the locals of its file, too.

    What the component has from elsewhere sees its own locals only. Source: reference 3.12.
    """
    data = {**deferred.shown(section), "locals": values}

    def walk(value: Any, own: Any, keys: Path) -> Any:
        if isinstance(value, dict) and isinstance(own, dict):
            return {key: walk(item, own.get(key), (*keys, key)) for key, item in value.items()}
        if isinstance(value, list) and isinstance(own, list) and len(value) == len(own):
            both = enumerate(zip(value, own, strict=True))
            return [walk(item, mine, (*keys, number)) for number, (item, mine) in both]
        if value == own and isinstance(value, str) and ".locals." in value:
            try:
                return template.render(value, data, what=_what(keys), at=at, strict=False)
            except WrapError as error:
                _place(error, at, find, keys, value)
                raise
        return value

    return {key: walk(value, body.get(key), (key,)) for key, value in section.items()}


def _what(keys: Path) -> str:
    if keys[0] == "\0":  # not a key of any manifest
        return "template"
    return f"template in `{'.'.join(map(str, keys))}`"


def _place(error: WrapError, at: Location, find: Find, keys: Path, text: str) -> None:
    """Give an error the place of a text instead of `at`, which only names its manifest.

    It is told by identity: other components of the same manifest have a place like it.
    """
    if any(one is at for one in error.at) or not error.at:
        place = find(keys, text) or at
        error.at = tuple(dict.fromkeys(place if one is at else one for one in error.at or (at,)))


class _Stage(NamedTuple):
    """What all templates of one component share."""

    data: Mapping[str, Any]
    delimiters: tuple[str, str]
    at: Location
    functions: template.Known
    find: Find


def _texts(value: Any, stage: _Stage, keys: Path) -> Any:
    if isinstance(value, str):
        if stage.delimiters[0] not in value:
            return value
        # Several lines stand in a block below their key: `{{-` takes that line break first.
        block = "\n" in value
        try:
            text = _rendered("\n" + value if block else value, stage, _what(keys))
        except WrapError as error:
            _place(error, stage.at, stage.find, keys, value)
            raise
        return text.removeprefix("\n") if block else _folded(text)
    if isinstance(value, dict):
        return {
            _texts(key, stage, (*keys, key)): _texts(item, stage, (*keys, key))
            for key, item in value.items()
        }
    if isinstance(value, list):
        return [_texts(item, stage, (*keys, number)) for number, item in enumerate(value)]
    return value


def _folded(text: str) -> str:
    """Return what YAML makes of line breaks that a template puts into a text of one line."""
    if "\n" not in text:
        return text
    first, *lines, last = text.split("\n")
    parts = [first.rstrip(" \t"), *(line.strip(" \t") for line in lines), last.lstrip(" \t")]
    out, breaks = parts[0], 0
    for part in parts[1:]:
        breaks += 1
        if part:
            out += ("\n" * (breaks - 1) or " ") + part
            breaks = 0
    return out + "\n" * (breaks - 1) + (" " if breaks == 1 else "")


def _rendered(text: str, stage: _Stage, what: str) -> str:
    if stage.delimiters == ("{{", "}}"):
        return template.render(
            text, stage.data, what=what, at=stage.at, strict=False, functions=stage.functions
        )
    from wrapper.stacks import gotemplate

    return gotemplate.render(
        text,
        stage.data,
        what=what,
        at=stage.at,
        strict=False,
        delimiters=stage.delimiters,
        functions=stage.functions(),
    )
