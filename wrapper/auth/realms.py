"""The name under which sessions are kept apart.

Source: reference/atmos-auth.md 5.2, design 7.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

from wrapper import sha256
from wrapper.typed import Any


def of(
    section: Mapping[str, Any], config_dir: str, environ: Mapping[str, str]
) -> tuple[str, str, str]:
    """Return the realm, where it comes from (env, config, auto, default), and what is wrong with it."""
    wanted, source = environ.get("ATMOS_AUTH_REALM", ""), "env"
    if not wanted and section.get("realm"):
        wanted, source = str(section["realm"]), "config"
    if not wanted:
        if not config_dir:
            return "default", "default", ""
        digest = sha256.hexdigest(os.fsencode(os.path.realpath(config_dir)))
        return digest[:16], "auto", ""
    fault = fault_of(wanted)
    where = "ATMOS_AUTH_REALM" if source == "env" else "auth.realm"
    return wanted, source, f'invalid realm "{wanted}" in {where}: {fault}' if fault else ""


def fault_of(realm: str) -> str:
    """Return what is wrong with a realm's name, empty when nothing is.

    Source: reference/atmos-auth.md 5.2.
    """
    if any(part in realm for part in ("/", "\\", "..")):
        return "it cannot contain path traversal characters (/, \\, ..)"
    strange = list(dict.fromkeys(re.findall(r"[^a-z0-9_-]", realm)))
    if strange:
        allowed = "only lowercase letters, numbers, hyphens, and underscores are allowed"
        return f"it contains invalid characters: [{' '.join(strange)}] ({allowed})"
    if len(realm) > 64:
        return f"it exceeds the maximum length of 64 characters: got {len(realm)}"
    if realm[0] in "-_" or realm[-1] in "-_":
        side = "start" if realm[0] in "-_" else "end"
        return f"it cannot {side} with hyphen or underscore"
    if re.search(r"[-_]{2}", realm):
        return "it cannot contain consecutive hyphens or underscores"
    return ""
