"""Settings that only the user may give, never a repository."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from wrapper.config.files import SYSTEM_DIR
from wrapper.config.identities import Part

_MISSING = object()


def kept(
    data: dict[str, Any], parts: Sequence[Part], home: str, warnings: list[str]
) -> dict[str, Any]:
    """Return the configuration with `wrap.sso.share` as the user's own files have it.

    It lets files of another program be written, below the home directory. `parts` are the files,
    lowest first; what a repository says about it is left out, with a warning.
    """
    wrap = data.get("wrap")
    if not isinstance(wrap, Mapping) or not isinstance(wrap.get("sso"), Mapping):
        return data
    mine = (os.path.join(home, ".atmos", ""), os.path.join(SYSTEM_DIR, ""))
    value: Any = _MISSING
    for part in parts:
        found = _share(part.data)
        if found is _MISSING:
            continue
        if part.path.startswith(mine):
            value = found
        elif found:
            warnings.append(
                f"wrap.sso.share of {part.path} is ignored: it counts in ~/.atmos/atmos.yaml only"
            )
    sso = {key: given for key, given in wrap["sso"].items() if key != "share"}
    if value is not _MISSING:
        sso["share"] = value
    return {**data, "wrap": {**wrap, "sso": sso}}


def _share(data: Any) -> Any:
    for key in ("wrap", "sso"):
        data = data.get(key) if isinstance(data, Mapping) else None
    return data.get("share", _MISSING) if isinstance(data, Mapping) else _MISSING
