"""SHA-256 as the interpreter itself has it: loading OpenSSL for it takes 4 ms of a prompt's 35."""

from __future__ import annotations

import importlib

TYPE_CHECKING = False  # the one of `typing` costs 5 ms at each Tab
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any


def _own() -> Callable[..., Any]:
    for name in ("_sha2", "_sha256", "hashlib"):
        try:
            found: Callable[..., Any] = importlib.import_module(name).sha256
        except ImportError:
            continue
        return found
    raise AssertionError


new = _own()


def hexdigest(data: bytes) -> str:
    """Return the digest of bytes in hex."""
    text: str = new(data).hexdigest()
    return text
