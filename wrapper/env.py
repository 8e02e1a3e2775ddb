"""What a program's environment gets and loses, as a value with an inverse."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple


class EnvDelta(NamedTuple):
    """A change of an environment.

    `set` and `unset` never share a name. `files` maps absolute paths to bytes to be written with
    mode 0600 before a program starts. `secret` names variables whose values are masked in output.
    """

    set: Mapping[str, str] = {}
    unset: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = {}
    secret: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"EnvDelta(set={sorted(self.set)}, unset={sorted(self.unset)}, files={sorted(self.files)})"

    def then(self, later: EnvDelta) -> EnvDelta:
        """Return one delta that does this one, then `later`."""
        kept = {k: v for k, v in self.set.items() if k not in later.unset}
        return EnvDelta(
            {**kept, **later.set},
            (self.unset - frozenset(later.set)) | later.unset,
            {**self.files, **later.files},
            self.secret | later.secret,
        )

    def apply(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment after the change; files are not written."""
        changed = {k: v for k, v in environ.items() if k not in self.unset}
        changed.update(self.set)
        return changed

    def inverse(self, environ: Mapping[str, str]) -> EnvDelta:
        """Return the delta that leads from `apply(environ)` back to `environ`."""
        touched = self.unset | frozenset(self.set)
        return EnvDelta(
            {k: environ[k] for k in touched if k in environ},
            frozenset(k for k in touched if k not in environ),
        )
