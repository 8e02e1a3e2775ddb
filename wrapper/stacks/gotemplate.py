"""Go templates beyond field access, through gotpl; imported only when a text needs it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Literal

from wrapper.errors import Location, StackError


def render(
    text: str,
    data: Mapping[str, Any],
    *,
    what: str,
    at: Location | None,
    strict: bool,
    delimiters: tuple[str, str] = ("{{", "}}"),
) -> str:
    """Return a template's text over `data`.

    Raises: StackError for anything that this program's template engine cannot run.
    """
    import gotpl

    missing: Literal["default", "error"] = "error" if strict else "default"
    try:
        return gotpl.render(
            text, data, functions=_functions(), missing_key=missing, delimiters=delimiters
        )
    except Exception as error:  # gotpl's functions raise whatever they like
        reason = " ".join(str(error).split()) or type(error).__name__
        raise StackError(f"{what}: the template cannot be rendered: {reason}", at=at) from error


@lru_cache(maxsize=1)
def _functions() -> dict[str, Callable[..., Any]]:
    from gotpl.funcs import sprig

    return dict(sprig.text_func_map())
