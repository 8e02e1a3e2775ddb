"""`locals`: values of one file, for the templates of that file.

Source: reference/atmos-stacks.md 3.12.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Callable, Mapping

from wrapper.errors import Location, StackError
from wrapper.stacks import inputs, rendering
from wrapper.stacks.manifest import is_template
from wrapper.stacks.sources import TYPES, place
from wrapper.typed import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from wrapper.stacks.imports import Tree
    from wrapper.stacks.manifest import Manifest

_DEPTH = 200
_NAMES = re.compile(r"\.locals\.([A-Za-z_][A-Za-z0-9_]*)")


def of_file(
    data: Mapping[str, Any], path: str, environ: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Return a file's locals, root and typed ones in one map, resolved.

    `!env` is asked in `environ` (default: this process's); other functions stay text. Raises: StackError with the place for a loop and for wrong types.
    """
    others = {key: data[key] for key in ("settings", "vars", "env") if key in data}
    known = inputs.process() if environ is None else environ
    shared = _scope(data, (), {}, others, path, known)
    flat = dict(shared)
    for kind in TYPES:
        section = data.get(kind)
        if isinstance(section, Mapping) and section.get("locals") is not None:
            flat |= _scope(section, (kind,), shared, others, path, known)
    return flat


def _scope(
    section: Mapping[str, Any],
    prefix: tuple[str, ...],
    above: Mapping[str, Any],
    others: Mapping[str, Any],
    path: str,
    environ: Mapping[str, str],
) -> dict[str, Any]:
    """Return the locals of a file or of a type over those above, which do not see them."""
    found = section.get("locals")
    keys = (*prefix, "locals")
    if found is None:
        return {}
    if not isinstance(found, dict):
        raise StackError(
            f"invalid locals section in file '{path}'",
            at=place(path, keys),
            hint="it must be a map",
        )
    raw = _with_env(found, environ)
    done: dict[str, Any] = {name: value for name, value in above.items() if name not in raw}
    for name in raw:
        _resolve(name, raw, others, done, (), path, keys)
    return {**above, **done}


def of_component(
    tree: Tree, kind: str, name: str, read: Callable[[str], Manifest], environ: Mapping[str, str]
) -> dict[str, Any]:
    """Return the locals of the highest file that writes a component, for the latter's templates."""
    for source in reversed(tree.files):
        found: Any = source.data.get("components")
        for key in (kind, name):
            found = found.get(key) if isinstance(found, dict) else None
        if found is not None and not is_template(source.path):
            return of_file(read(source.path).data, source.path, environ)
    return {}


def _with_env(value: Any, environ: Mapping[str, str]) -> Any:
    if isinstance(value, str) and value.startswith("!env "):
        try:
            words = shlex.split(value)[1:]
        except ValueError:
            words = value.split()[1:]
        return environ.get(words[0], words[1] if len(words) > 1 else "") if words else ""
    if isinstance(value, dict):
        return {key: _with_env(item, environ) for key, item in value.items()}
    return [_with_env(item, environ) for item in value] if isinstance(value, list) else value


def _resolve(
    name: str,
    raw: Mapping[str, Any],
    others: Mapping[str, Any],
    done: dict[str, Any],
    chain: tuple[str, ...],
    path: str,
    keys: tuple[str, ...],
) -> None:
    if name in done:
        return
    if name in chain or len(chain) > _DEPTH:
        loop = " -> ".join((*chain[chain.index(name) :], name)) if name in chain else ""
        message = f"circular dependency in locals: {loop}"
        if not loop:
            message = f"locals read each other over more than {_DEPTH} levels"
        raise StackError(message, at=place(path, (*keys, name)))
    for other in _names(raw[name]):
        if other in raw:
            _resolve(other, raw, others, done, (*chain, name), path, keys)
    data = {**others, "locals": done}
    try:
        at = Location(path, 1, 1)
        done[name] = rendering.typed(raw[name], data, f"locals.{name}", at, True)
    except StackError as error:
        at = place(path, (*keys, name))
        raise StackError(error.message, at=at, hint=error.hints) from error


def _names(value: Any) -> list[str]:
    if isinstance(value, str):
        return _NAMES.findall(value) if "{{" in value else []
    if isinstance(value, Mapping):
        return [name for item in value.values() for name in _names(item)]
    if isinstance(value, list):
        return [name for item in value for name in _names(item)]
    return []
