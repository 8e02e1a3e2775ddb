"""Go's own template functions where the engine's differ: null and missing values compared, printed."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from functools import lru_cache

from wrapper.typed import Any

_NIL = "\x00nil\x00"
_VERB = re.compile(r"(%[-+# 0]*[\d*]*(?:\.[\d*]*)?(?:\[\d+\])?[a-zA-Z%])")


class _Nil:
    """Null as `printf` prints it."""

    def __go_format_value__(self, *_given: Any, **_options: Any) -> str:
        return _NIL


def nil(value: Any) -> Any:
    """Return None for a missing value and for a template's `nil`, any other as it is."""
    return None if any(value is one for one in _nothing()) else value


@lru_cache(maxsize=1)
def _nothing() -> tuple[Any, ...]:
    from gotpl.runtime.values import INVALID, UNTYPED_NIL

    return INVALID, UNTYPED_NIL


def operators() -> dict[str, Callable[..., Any]]:
    """Return `eq`, `ne` and `printf`. Source: Go's text/template."""
    return {"eq": _equal, "ne": _unequal, "printf": _printed}


def _kind(value: Any) -> str:
    for kind, name in ((bool, "bool"), (int, "int"), (float, "float"), (str, "string")):
        if isinstance(value, kind):
            return name
    return "other"


def _pair(left: Any, right: Any) -> bool:
    if left is None or right is None:
        return left is right
    if _kind(left) != _kind(right):
        raise TypeError("incompatible types for comparison")
    if isinstance(left, Mapping | list | tuple) or isinstance(right, Mapping | list | tuple):
        raise TypeError("non-comparable type")
    return bool(left == right)


def _equal(first: Any, *others: Any) -> bool:
    if not others:
        raise TypeError("missing argument for comparison")
    return any(_pair(nil(first), nil(other)) for other in others)


def _unequal(first: Any, second: Any) -> bool:
    return not _pair(nil(first), nil(second))


def _printed(form: Any, *values: Any) -> str:
    """Return a text with its verbs filled in; a verb holds for each item of a list or map."""
    parts = _VERB.split(form) if isinstance(form, str) else []
    verbs = parts[1::2]
    simple = all("*" not in verb and "[" not in verb for verb in verbs)
    if not simple or sum(verb != "%%" for verb in verbs) != len(values):
        return _filled(form, *values)
    given = iter(values)
    for at, verb in enumerate(verbs):
        parts[2 * at + 1] = "%" if verb == "%%" else _item(verb, next(given))
    return "".join(parts)


def _item(verb: str, value: Any) -> str:
    if verb[-1] not in "vT":
        if isinstance(value, Mapping):
            pairs = " ".join(f"{_item(verb, k)}:{_item(verb, value[k])}" for k in sorted(value))
            return f"map[{pairs}]"
        if isinstance(value, list):
            return "[" + " ".join(_item(verb, one) for one in value) + "]"
    return _filled(verb, value)


def _filled(form: Any, *values: Any) -> str:
    from gotpl.runtime.gofmt import sprintf

    given = [_Nil() if nil(value) is None else value for value in values]
    text = sprintf(form, *given)
    return text.replace(f"{_NIL}={_NIL}", "<nil>").replace(_NIL, "<nil>")
