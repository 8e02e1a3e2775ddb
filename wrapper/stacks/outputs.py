"""`!terraform.state` and `!terraform.output`: what another component has put out.

Source: reference/atmos-stacks.md 3.10.
"""

from __future__ import annotations

from wrapper.errors import Location, StackError, UsageError, WrapError
from wrapper.stacks import others
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.config import Config
    from wrapper.stacks.others import Reader
    from wrapper.world import World

# Stands for an output that is not there yet.
COMPUTED = "(computed)"


class Wanted(NamedTuple):
    """One call: the component, its stack, and the expression over its outputs."""

    function: str
    component: str
    stack: str
    expression: str


def parse(argument: str, stack: str, function: str, at: Location | None) -> Wanted:
    """Return the arguments `component [stack] output-or-expression`. Raises: StackError."""
    name, _, rest = _bare(argument).partition(" ")
    rest = rest.strip()
    if rest and not rest.startswith((".", "'.", '".')):
        first, _, more = rest.partition(" ")
        if more.strip() and not more.strip().startswith(("//", "|")):
            stack, rest = _bare(first), more.strip()
    expression = _bare(rest)
    if not name or not expression:
        raise StackError(
            f"{function} takes a component, a stack if it is another one, and an output, "
            f"not '{argument}'",
            at=at,
        )
    if not expression.startswith((".", "[")):
        expression = f".{expression}"
    return Wanted(function, _bare(name), stack, expression)


def _bare(text: str) -> str:
    """Return a text without the quotes around it."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] and text[0] in "'\"":
        inner = text[1:-1]
        return inner.replace("''", "'") if text[0] == "'" else inner
    return text


def value(
    wanted: Wanted,
    how: str,
    config: Config,
    world: World,
    reader: Reader,
    at: Location | None,
    *,
    strict: bool,
) -> Any:
    """Return what a call gives; `how` is `state` or `outputs`.

    Raises: StackError with the place of the call; with `strict` also when the component has no
    state yet and the expression no default.
    """
    from wrapper import stacks
    from wrapper.stacks import query

    key = ("target", wanted.component, wanted.stack)
    try:
        if key not in reader.known:
            reader.known[key] = stacks.component(
                config, world, wanted.component, wanted.stack, reader=reader
            )
        found = others.read(reader, how, reader.known[key], at)
        result = query.run(wanted.expression, found or {})
    except WrapError as error:
        places = list(dict.fromkeys(one for one in (at, *error.at) if one is not None))
        message = f"{wanted.function} {wanted.component} {wanted.stack}: {error.message}"
        kind = StackError if isinstance(error, UsageError) else type(error)
        raise kind(message, at=places, hint=error.hints) from error
    if result is None and found is None and how == "state":
        if strict:
            raise StackError(
                f'{wanted.function}: the component "{wanted.component}" has no state in '
                f'"{wanted.stack}" yet',
                at=at,
                hint='apply it first, or give a default: `.output // "default"`',
            )
        return COMPUTED
    return result
