"""What `typing` gives at run time, without the time that it takes: 3 ms, and 0.3 for each NamedTuple.

Type checkers read the names of `typing` itself.
"""

from __future__ import annotations

__all__ = ["TYPE_CHECKING", "Any", "NamedTuple"]
TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, NamedTuple
else:
    from _collections import _tuplegetter as _field

    class Any:
        """Stands in aliases for what may be anything."""

    class _Named(tuple):
        """What the classes below share: fields by name, with defaults; equal and ordered as tuples."""

        __slots__ = ()
        _fields = ()

        def __new__(cls, *given, **named):
            fields = cls._fields
            if named or len(given) != len(fields):
                given = _filled(cls, given, named)
            return tuple.__new__(cls, given)

        @classmethod
        def _make(cls, given):
            return cls(*given)

        def _replace(self, **named):
            made = tuple.__new__(type(self), map(named.pop, self._fields, self))
            if named:
                raise ValueError(f"{type(self).__name__} has no {', '.join(named)}")
            return made

        def _asdict(self):
            return dict(zip(self._fields, self, strict=True))

        def __repr__(self):
            shown = ", ".join(
                f"{name}={value!r}" for name, value in zip(self._fields, self, strict=True)
            )
            return f"{type(self).__name__}({shown})"

        def __getnewargs__(self):
            return tuple(self)

    def _filled(cls, given, named):
        """Return all values of a call, in order. Raises: TypeError as a function would."""
        fields = cls._fields
        if len(given) > len(fields):
            raise TypeError(f"{cls.__name__} takes {len(fields)} values, not {len(given)}")
        values = dict(cls._field_defaults)
        values.update(zip(fields, given, strict=False))
        for name, value in named.items():
            if name not in fields or name in fields[: len(given)]:
                raise TypeError(f"{cls.__name__} takes no (other) {name}")
            values[name] = value
        try:
            return [values[name] for name in fields]
        except KeyError as lacking:
            raise TypeError(f"{cls.__name__} lacks {lacking.args[0]}") from None

    class _Kind(type):
        """Make a tuple's class of the annotations in a class body."""

        def __new__(cls, name, bases, space):
            if not bases:
                return type.__new__(cls, name, bases, space)
            fields = tuple(space.get("__annotations__", ()))
            defaults = {field: space[field] for field in fields if field in space}
            if tuple(defaults) != fields[len(fields) - len(defaults) :]:
                raise TypeError(f"{name}: a field without a default follows one with a default")
            for number, field in enumerate(fields):
                space[field] = _field(number, "")
            space |= {
                "__slots__": (), "__match_args__": fields, "_fields": fields, "_field_defaults": defaults,
            }  # fmt: skip
            return type(name, (_Named,), space)

    class NamedTuple(metaclass=_Kind):
        """As `typing.NamedTuple`: a frozen value whose fields are the annotations of the class."""
