"""Which `default: true` is in force.

Source: design 8, reference/atmos-auth.md 2.6.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.auth.lookup import match, truth
from wrapper.auth.model import Auth, Default
from wrapper.auth.places import Places
from wrapper.errors import WrapError
from wrapper.merge import SECTIONS, Layer


def in_force(auth: Auth, places: Places) -> tuple[Default, ...]:
    """Return the identities whose `default: true` is in force. Source: design 8."""
    marks: dict[str, tuple[int, bool, Layer, str]] = {}
    for layer in auth.layers:
        given = layer.data.get("identities")
        for written, raw in given.items() if isinstance(given, Mapping) else ():
            name = match(written, auth.identities)
            if name is None or not isinstance(raw, Mapping):
                continue
            if raw.get("default") is not None:
                rank = SECTIONS.index(layer.section)
                mark = truth(raw["default"])
                if mark is None:  # a template, of which only the result can be read
                    mark = truth(auth.identities[name].raw.get("default"))
                marks[name] = (rank, mark is True, layer, written)
    if not auth.layers:
        names = [n for n, e in auth.identities.items() if truth(e.raw.get("default")) is True]
        return tuple(Default(name, None) for name in names)
    wanted = {name: mark for name, mark in marks.items() if mark[1]}
    top = max((mark[0] for mark in wanted.values()), default=0)
    left = [(name, mark[2], mark[3]) for name, mark in wanted.items() if mark[0] == top]
    if len(left) > 1:
        left = [one for one in left if not any(_imports(two[1], one[1]) for two in left)]
    return tuple(
        Default(name, places.in_layer(layer, ("identities", written, "default")))
        for name, layer, written in left
    )


def _imports(upper: Layer, lower: Layer) -> bool:
    """Say whether one file names the other in its `import`."""
    import fnmatch

    from wrapper import yamlio

    if upper.path == lower.path:
        return False
    folder = os.path.dirname(upper.path)
    if lower.path.startswith(
        (os.path.join(folder, ".atmos.d", ""), os.path.join(folder, "atmos.d", ""))
    ):
        return os.path.basename(upper.path) in ("atmos.yaml", "atmos.yml", ".atmos.yaml")
    try:
        with open(upper.path, "rb") as stream:
            found = yamlio.load(stream.read(), upper.path).data
    except (OSError, WrapError):
        return False
    given = found.get("import") if isinstance(found, Mapping) else None
    bare = os.path.splitext(lower.path)[0]
    for item in given if isinstance(given, list) else [given]:
        wanted = item.get("path") if isinstance(item, Mapping) else item
        if isinstance(wanted, str) and wanted:
            end = os.path.splitext(wanted)[0] if wanted.endswith((".yaml", ".yml")) else wanted
            if fnmatch.fnmatch(bare, "*/" + end.removeprefix("./").lstrip("/").replace("**", "*")):
                return True
    return False
