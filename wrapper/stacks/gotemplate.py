"""Go templates beyond field access, through gotpl; imported only when a text needs it.

Source: reference/atmos-stacks.md 3.5, 3.6.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache, wraps
from typing import Any, Literal

from wrapper.errors import Location, StackError, WrapError
from wrapper.stacks import inputs
from wrapper.stacks.operators import nil as _nil
from wrapper.stacks.operators import operators
from wrapper.stacks.template import LIMIT

Functions = Mapping[str, Callable[..., Any]]

_QUOTED = r'"(?:[^"\\\n]|\\.)*"|`[^`]*`|' + r"'(?:[^'\\\n]|\\.)+'|/\*.*?\*/"
# gomplate's and Atmos's functions stand in name spaces, which gotpl does not have.
_SPACED = re.compile(
    rf"({_QUOTED})|(?<![\w.$)])(atmos|base64|coll|conv|crypto|data|env|filepath|math|path|random|regexp"
    r"|strings|test|time|uuid)\.([A-Z]\w*)",
    re.S,
)


# What one template may do: far beyond any manifest's, and done within a second.
_ITERATIONS, _CALLS, _DEPTH = 100_000, 100_000, 1000
# Functions of sprig that make as much as they are told to; (so many, of how long a text).
_MAKERS = (
    "indent", "nindent", "randAlpha", "randAlphaNum", "randAscii", "randBytes", "randNumeric",
    "repeat", "seq", "until", "untilStep",
)  # fmt: skip
_LARGEST = 1_000_000
# Functions of sprig that depend on the time, on chance, or on the net.
_PASSING = re.compile(
    r"ago$|(html)?[dD]ate(_in_zone|InZone)?$|now$|rand|shuffle$|uuidv4$|gen[A-Z]|bcrypt$|htpasswd$"
    r"|encryptAES$|getHostByName$"
)


def render(
    text: str,
    data: Mapping[str, Any],
    *,
    what: str,
    at: Location | None,
    strict: bool,
    delimiters: tuple[str, str] = ("{{", "}}"),
    functions: Functions | None = None,
) -> str:
    """Return a template's text over `data`; `functions` default to all but Atmos's own.

    Raises: StackError for anything that this program's template engine cannot run, and for one that
    does not end or writes more than 16 Mi characters.
    """
    import gotpl

    missing: Literal["default", "error"] = "error" if strict else "default"
    known = every() if functions is None else functions
    try:
        return gotpl.render(
            joined(text, delimiters),
            data,
            functions=known,
            missing_key=missing,
            delimiters=delimiters,
            budget=gotpl.ExecutionBudget(LIMIT, _ITERATIONS, _DEPTH, _CALLS),
        )
    except Exception as error:  # gotpl's functions raise whatever they like
        cause: BaseException | None = error
        while cause is not None:
            if isinstance(cause, WrapError):
                raise cause from error
            cause = cause.__cause__ or cause.__context__
        reason = " ".join(str(error).split()) or type(error).__name__
        reason = re.sub(r"'(\w+)__([A-Z]\w*)'", r"'\1.\2'", reason)
        raise StackError(f"{what}: the template cannot be rendered: {reason}", at=at) from error


def joined(text: str, delimiters: tuple[str, str]) -> str:
    """Return a template with `strings.Title` and the like as one name, `strings__Title`."""
    left, right = (re.escape(one) for one in delimiters)

    def action(match: re.Match[str]) -> str:
        return _SPACED.sub(_as_one, match[0])

    return re.sub(rf"{left}(?:{_QUOTED}|.)*?{right}", action, text, flags=re.S)


def _as_one(match: re.Match[str]) -> str:
    """Return a function's name as one word; in brackets where a method of its result follows."""
    if match[1]:
        return match[1]
    name = f"{match[2]}__{match[3]}"
    return f"({name})" if re.match(r"\.[A-Za-z]", match.string[match.end() :]) else name


@lru_cache(maxsize=1)
def every() -> Functions:
    """Return the functions of sprig and gomplate that ask nobody; where both have one, sprig's.

    Files are rendered with them for whoever lists stacks, at a prompt and on Tab, too.
    """
    return {**families(sprig=True, gomplate=True), "getHostByName": _asks_nobody}


def _asks_nobody(name: Any) -> str:
    raise StackError(f"getHostByName {name}: the net is not asked while manifests are read")


def _bounded(name: str, function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that refuses to fill the memory."""

    def call(*arguments: Any) -> Any:
        count = max((abs(one) for one in arguments if isinstance(one, int)), default=0)
        length = max((len(one) for one in arguments if isinstance(one, str)), default=1)
        if count * max(1, length) > _LARGEST:
            raise ValueError(f"{name}: the result is too long")
        return function(*arguments)

    return call


def families(*, sprig: bool, gomplate: bool, environ: Mapping[str, str] | None = None) -> Functions:
    """Return the functions of the families that are on; `environ` is what `env` and the like see."""
    from gotpl.funcs import sprig as library

    from wrapper.stacks import gomplate as spaces

    found: dict[str, Callable[..., Any]] = {}
    if gomplate:
        found |= spaces.functions(environ)
    if sprig:
        own = library.text_func_map()
        found |= own | {name: _bounded(name, own[name]) for name in _MAKERS if name in own}
        found |= {name: _noted(found[name]) for name in own if _PASSING.match(name)}
        known = inputs.process() if environ is None else environ
        found["env"] = lambda name: known.get(str(name), "")
        found["expandenv"] = lambda text: spaces.expanded(str(text), known)
    return {name: _given_nil(one) for name, one in found.items()} | operators()


def _given_nil(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that gets what is missing as null, as functions in Go do."""

    @wraps(function)
    def call(*arguments: Any) -> Any:
        return function(*map(_nil, arguments))

    return call


def _noted(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function that notes that its answer is another one each time."""

    def call(*arguments: Any) -> Any:
        inputs.note()
        return function(*arguments)

    return call
