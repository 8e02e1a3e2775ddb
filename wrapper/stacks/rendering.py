"""Where templates are applied: files at import, import paths, locals, whole components.

Source: reference/atmos-stacks.md 3.4, 3.5, 3.6, 3.12.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError, WrapError
from wrapper.merge import Append, deep_merge
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
) -> tuple[dict[str, Any], Mapping[str, Any]]:
    """Return a file's data, rendered, and what the templates of its imports see of it.

    A file gets the context of its import, what the files with locals above it lend, and its own
    locals and sections. Without a context of its own it is left as it is for the component stage
    when something is missing. Raises: StackError when it needs a value that it is not given.
    Source: reference/atmos-stacks.md 3.5, 3.12; what is lent: extractAndAddLocalsToContext.
    """
    if entry.skip_templates:
        raw = _parse(read_bytes(path), path, settings) if is_template(path) else read(path).data
        return without_locals(raw), entry.lent
    given = deep_merge(entry.context, entry.lent)
    strict = not (
        entry.ignore_missing or truth(settings.templates.get("ignore_missing_template_values"))
    )
    at = Location(path, 1, 1)
    if is_template(path):
        text = read_bytes(path)
        plain = _plain(text, path, settings) if b"locals:" in text else {}
        context, own = _context(plain, given, path)
        if b"{{" in text:
            before = text.decode("utf-8", "replace")
            try:
                after = template.render(
                    before, context, what="import template", at=at, strict=strict
                )
            except StackError as error:
                error.at = (_written(path, error.message, whole=True),)
                raise
            text = after.encode()
        data = without_locals(_parse(text, path, settings))
    else:
        written = read(path).data
        context, own = _context(written, given, path)
        data = without_locals(written)
        if has_template(data):
            try:
                data = typed(data, context, path, at, strict)
            except StackError as error:
                if entry.context:
                    error.at = (_written(path, error.message, whole=False),)
                    raise
    for key, value in own.items():
        if value and data.get(key) != value:
            data = {**data, key: value}
    return data, {**entry.lent, **own}


def _written(path: str, message: str, *, whole: bool) -> Location:
    """Return where a file has the template that a message is about.

    The message knows the line when the `whole` file is the template, else what was not found.
    """
    told = re.search(r"template:(\d+):(\d+)", message) if whole else None
    if told:
        return Location(path, int(told[1]), int(told[2]))
    named = re.search(r"reads (\.[\w.]+)|'(\w+)'(?: failed)?", message)
    if named:
        text = read_bytes(path).decode("utf-8", "replace")
        word = re.escape(named[1] or named[2])
        for action in re.finditer(r"\{\{.*?\}\}", text, re.S):
            found = re.search(rf"(?<!\w){word}(?!\w)", action[0])
            if found:
                before = text[: action.start() + found.start()]
                return Location(path, before.count("\n") + 1, len(before) - before.rfind("\n"))
    return Location(path, 1, 1)


def _context(
    data: dict[str, Any], given: Mapping[str, Any], path: str
) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a file's templates see, and those of its sections that are part of it.

    Only a file with locals shows its sections; each sees those before it. One that needs what only
    the component stage knows stays as it is.
    """
    from wrapper.stacks.imports import has_locals

    context = {key: value for key, value in given.items() if key != "locals"}
    own: dict[str, Any] = {}
    if not has_locals(data):
        return context, own
    from wrapper.stacks import localvalues

    context["locals"] = localvalues.of_file(data, path)
    for key in _CONTEXT:
        section = data.get(key)
        if isinstance(section, dict):
            own[key] = section
            if has_template(section):
                try:
                    own[key] = typed(section, {**context, **own}, path, Location(path, 1, 1), True)
                except StackError:
                    continue
    return {**context, **own}, own


def _parse(text: bytes, path: str, settings: Settings) -> dict[str, Any]:
    roots = (settings.base_path, settings.stacks_dir)
    return parse(text, path, roots, settings.delimiter).data


def _plain(text: bytes, path: str, settings: Settings) -> dict[str, Any]:
    """Return what a template holds before it is rendered, nothing where that is no YAML."""
    try:
        return _parse(text, path, settings)
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


def without_locals(data: dict[str, Any]) -> dict[str, Any]:
    """Return a file's data without its file-scoped locals."""
    out = {key: value for key, value in data.items() if key != "locals"}
    for kind in ("terraform", "helmfile", "packer"):
        section = out.get(kind)
        if isinstance(section, dict) and "locals" in section:
            out[kind] = {key: value for key, value in section.items() if key != "locals"}
    return out


def has_template(value: Any) -> bool:
    """Say whether a text inside a value, keys included, holds a template."""
    if isinstance(value, str):
        return "{{" in value
    if isinstance(value, dict):
        return any("{{" in key or has_template(item) for key, item in value.items())
    return isinstance(value, list) and any(has_template(item) for item in value)


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
