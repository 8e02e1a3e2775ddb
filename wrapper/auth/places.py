"""Where a key of the `auth` section was set: file, line and column."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.errors import Location
from wrapper.merge import Layer
from wrapper.typed import Any


class Places:
    """Finds the file, line and column that set a key; files are read when asked, once.

    With a `cache_dir` what is known from an earlier run needs no YAML parser.
    """

    def __init__(self, layers: Sequence[Layer], cache_dir: str = "") -> None:
        self.cache_dir = cache_dir
        files = [layer for layer in layers if layer.section in ("config", "profile")]
        rest = [layer for layer in layers if layer.section not in ("config", "profile")]
        self.layers = [*sorted(files, key=lambda layer: layer.rank), *rest]
        self.texts: dict[str, bytes] = {}

    def layer(self, keys: tuple[str, ...]) -> tuple[Layer, tuple[str, ...]] | None:
        """Return the highest layer that has the key path, and the path as that file writes it."""
        for layer in reversed(self.layers):
            written = _written(layer.data, keys)
            if written is not None:
                return layer, written
        return None

    def at(self, *keys: str) -> Location | None:
        """Return the place of a key path, or of the nearest enclosing one that a file sets."""
        for length in range(len(keys), 0, -1):
            found = self.layer(keys[:length])
            if found is not None:
                return self.in_layer(*found)
        return self.in_layer(self.layers[-1], ()) if self.layers else None

    def in_layer(self, layer: Layer, keys: tuple[str, ...]) -> Location:
        """Return the place of a key path in one layer's file."""
        from wrapper.config import parsed

        if layer.path not in self.texts:
            try:
                with open(layer.path, "rb") as stream:
                    self.texts[layer.path] = stream.read()
            except OSError:
                self.texts[layer.path] = b""
        text, path = self.texts[layer.path], (*layer.prefix, *keys)
        return parsed.place(layer.path, text, path, self.cache_dir)


def _written(data: Any, keys: tuple[str, ...]) -> tuple[str, ...] | None:
    """Return the key path as written; the case of a provider's or identity's name is free."""
    written: list[str] = []
    for depth, key in enumerate(keys):
        if not isinstance(data, Mapping):
            return None
        if key not in data:
            folded = [k for k in data if k.lower() == key.lower()] if depth == 1 else []
            if len(folded) != 1:
                return None
            key = folded[0]
        written.append(key)
        data = data[key]
    return tuple(written)
