"""`!store`, `!store.get` and `!secret`: values of stores in manifests.

Source: reference/atmos-stacks.md 3.10.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError, WrapError, near
from wrapper.stacks import store
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks import Component
    from wrapper.stacks.others import Reader

MASKED = "<MASKED>"


class Call(NamedTuple):
    """A call taken apart: its words, and what follows each `|` by its name."""

    function: str
    words: tuple[str, ...]
    pipes: Mapping[str, str]


def parse(function: str, argument: str, pipes: tuple[str, ...], at: Location | None) -> Call:
    """Return a call's words, and its pipes of the names given. Raises: StackError."""
    head, *rest = _split(argument)
    found: dict[str, str] = {}
    for part in rest:
        name, _, value = part.strip().partition(" ")
        if name not in pipes or (name == "raw") == bool(value.strip()):
            told = ", ".join(f"`| {one}`" for one in pipes)
            raise StackError(f"{function} takes {told}, not `| {part.strip()}`", at=at)
        found[name] = _bare(value)
    return Call(function, tuple(_bare(word) for word in head.split()), found)


def _split(argument: str) -> list[str]:
    """Return the parts between `|` that are not quoted."""
    parts, quote, last = [], "", 0
    for position, char in enumerate(argument):
        if quote:
            quote = "" if char == quote else quote
        elif char in "'\"":
            quote = char
        elif char == "|":
            parts.append(argument[last:position])
            last = position + 1
    return [*parts, argument[last:]]


def _bare(text: str) -> str:
    text = text.strip()
    return text[1:-1] if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"" else text


def value(
    argument: str, component: Component, config: Config, reader: Reader, at: Location | None
) -> Any:
    """Return what `!store STORE [STACK] COMPONENT KEY` gives.

    Raises: StackError with the place of the call. A default stands in for what is not there, not
    for a store that refuses.
    """
    call = parse("!store", argument, ("default", "query"), at)
    if len(call.words) not in (3, 4):
        raise _arguments(call, "a store, a stack if it is another one, a component and a key", at)
    name, *between, owner, key = call.words
    slot = store.Slot(between[0] if between else component.stack, owner, key)
    return _read(call, name, slot, component, config, reader, at)


def of_template(
    words: tuple[str, ...], component: Component, config: Config, reader: Reader, at: Location
) -> Any:
    """Return what `atmos.Store STORE STACK COMPONENT KEY` gives in a template. Raises: as `value`."""
    name, stack, owner, key = words
    call = Call("atmos.Store", words, {})
    return _read(call, name, store.Slot(stack, owner, key), component, config, reader, at)


def own_value(
    argument: str, component: Component, config: Config, reader: Reader, at: Location | None
) -> Any:
    """Return what `!store.get STORE KEY` gives. Raises: as `value`."""
    call = parse("!store.get", argument, ("default", "query"), at)
    if len(call.words) != 2:
        raise _arguments(call, "a store and a key", at)
    return _read(call, call.words[0], call.words[1], component, config, reader, at)


def _read(
    call: Call,
    name: str,
    wanted: store.Slot | str,
    component: Component,
    config: Config,
    reader: Reader,
    at: Location | None,
) -> Any:
    found = store.find(config, name, at)
    if found.secret:
        raise StackError(
            f'{call.function}: the store "{name}" keeps secrets',
            at=at,
            hint="declare it under `secrets.vars` and use !secret",
        )
    return _asked(call, found, wanted, component, reader, at, "query")


def secret(
    argument: str,
    component: Component,
    config: Config,
    reader: Reader,
    at: Location | None,
    evaluated: Callable[[str, tuple[str, ...]], Any],
) -> Any:
    """Return what `!secret NAME` gives; while things are only shown, what stands for secrets.

    `evaluated` runs the function in a declaration that is one. Raises: as `value`.
    """
    call = parse("!secret", argument, ("default", "path", "raw"), at)
    if len(call.words) != 1 or {"path", "raw"} <= call.pipes.keys():
        raise _arguments(call, "one name, and not both `| path` and `| raw`", at)
    name = call.words[0]
    section = component.section.get("secrets")
    declared = section.get("vars") if isinstance(section, Mapping) else None
    declared = declared if isinstance(declared, Mapping) else {}
    if not isinstance(declared.get(name), Mapping):
        raise StackError(
            f'!secret: "{name}" is not declared under `secrets.vars` of "{component.name}"',
            at=at,
            hint=near(name, [str(key) for key in declared]),
        )
    if reader.masks:
        return MASKED
    keys = ("secrets", "vars", name)
    backend = declared[name].get("store")
    if not backend:
        raise StackError(
            f'!secret: "{name}" comes from no store',
            at=component.where(*keys) or at,
            hint="`sops` is not supported: keep it in a store that is `secret: true`"
            if declared[name].get("sops")
            else "name one: `store: NAME`",
        )
    given = str(evaluated(str(backend), (*keys, "store")))
    found = store.find(config, given, component.where(*keys, "store") or at)
    if not found.secret:
        raise StackError(
            f'!secret: the store "{given}" is not `secret: true`',
            at=[one for one in (component.where(*keys, "store"), found.at) if one],
        )
    result = _asked(call, found, _slot(component, name), component, reader, at, "path")
    if result is not call.pipes.get("default"):  # what stands in the manifest is no secret
        _note(result, reader.known.setdefault(("secrets",), set()))
    return result


def _note(value: Any, known: set[str]) -> None:
    """Remember each text within a secret."""
    items = value.values() if isinstance(value, Mapping) else value
    for item in items if isinstance(value, list | Mapping) else ():
        _note(item, known)
    if isinstance(value, str) and value:
        known.add(value)


def _slot(component: Component, name: str) -> store.Slot:
    """Return where a secret is kept: for all, for the stack, or for the component alone.

    What is declared for the stack is the stack's; what the component declares is its own.
    """
    declared = component.section["secrets"]["vars"][name]
    if declared.get("scope") == "global":
        return store.Slot("", "", name)
    for label, source in component.layers:
        section = source.data.get("secrets")
        names = section.get("vars") if isinstance(section, Mapping) else None
        if label not in ("stack", "type") and isinstance(names, Mapping) and name in names:
            return store.Slot(component.stack, component.name, name)
    return store.Slot(component.stack, "", name)


def _asked(
    call: Call,
    found: store.Store,
    wanted: store.Slot | str,
    component: Component,
    reader: Reader,
    at: Location | None,
    path: str,
) -> Any:
    """Return the value of a store, asked for once per run, and what the call makes of it."""
    from wrapper.stacks import query

    def environ(identity: str) -> Mapping[str, str]:
        return reader.as_identity(component, identity)

    whose = found.identity or f"{component.name}\n{component.stack}"
    slot = (wanted,) if isinstance(wanted, str) else tuple(wanted)
    key = ("store", found.name, whose, *slot)
    try:
        if key not in reader.known:
            reader.known[key] = store.get_text(found, wanted, environ)
        text = reader.known[key]
        if "raw" in call.pipes:
            return text
        result = store.decoded(text, secret=found.secret and found.kind.startswith("aws/"))
        return query.run(call.pipes[path], result) if path in call.pipes else result
    except store.Missing as error:
        if "default" in call.pipes:
            return call.pipes["default"]
        raise StackError(
            f"{call.function}: {error.message}",
            at=at,
            hint="write it first"
            if call.function == "atmos.Store"
            else 'write it first, or give a default: `| default "…"`',
        ) from error
    except WrapError as error:
        places = [one for one in (at, *error.at) if one is not None]
        raise type(error)(
            f"{call.function} {' '.join(call.words)}: {error.message}", at=places, hint=error.hints
        ) from error


def _arguments(call: Call, what: str, at: Location | None) -> StackError:
    return StackError(f"{call.function} takes {what}, not '{' '.join(call.words)}'", at=at)
