"""The files that an import path names."""

from __future__ import annotations

import os

from wrapper.stacks import globs
from wrapper.stacks.manifest import EXTENSIONS


def resolve(wanted: str, importer: str, stacks_dir: str) -> tuple[list[str], list[str]]:
    """Return the absolute files that an import path names, in merge order, and where it looked.

    Source: reference/atmos-stacks.md 3.4.
    """
    base = os.path.dirname(importer) if wanted.startswith(("./", "../")) else stacks_dir
    path = os.path.normpath(os.path.join(base, wanted))
    has_extension = "." in os.path.basename(path)
    if globs.has_magic(path):
        seen: list[str] = []
        found = globs.find(path if has_extension else path + ".yaml", seen)
        return found, list(dict.fromkeys(seen))
    looked = [os.path.dirname(path)]
    if has_extension:
        if path.endswith((".yaml", ".yml")) and os.path.isfile(path + ".tmpl"):
            return [path + ".tmpl"], looked
        return ([path] if os.path.isfile(path) else []), looked
    for extension in EXTENSIONS:
        if os.path.isfile(path + extension):
            return [path + extension], looked
    return [], looked
