"""The light NamedTuple does what the one of `typing` does."""

from __future__ import annotations

import copy
import pickle
import typing

import pytest

from wrapper import typed

Made = typing.Any


class Light(typed.NamedTuple):
    """Of ours."""

    name: str
    size: int = 3
    parts: tuple[str, ...] = ()

    @property
    def long(self) -> bool:
        return self.size > 3

    def again(self) -> Light:
        return self._replace(size=self.size + 1)


class Full(typing.NamedTuple):
    """The library's."""

    name: str
    size: int = 3
    parts: tuple[str, ...] = ()

    @property
    def long(self) -> bool:
        return self.size > 3

    def again(self) -> Full:
        return self._replace(size=self.size + 1)


CALLS: list[tuple[tuple[Made, ...], dict[str, Made]]] = [
    (("a",), {}), (("a", 4), {}), (("a", 4, ("b",)), {}), ((), {"name": "a"}),
    (("a",), {"parts": ("x",)}), ((), {"parts": (), "size": 0, "name": ""}),
]  # fmt: skip


@pytest.mark.parametrize(("given", "named"), CALLS)
def test_a_value_is_that_of_the_library(given: tuple[Made, ...], named: dict[str, Made]) -> None:
    ours: Made = Light(*given, **named)
    theirs: Made = Full(*given, **named)
    assert ours == theirs
    assert tuple(ours) == tuple(theirs)
    assert hash(ours) == hash(theirs)
    assert (ours.name, ours.size, ours.parts, ours.long) == (*theirs, theirs.long)
    assert repr(ours).replace("Light", "Full") == repr(theirs)
    assert ours.again() == theirs.again()
    assert type(ours.again()) is Light
    assert ours._asdict() == theirs._asdict()
    assert list(ours._asdict()) == list(theirs._fields)
    assert Light._make(theirs) == ours
    for copied in (pickle.loads(pickle.dumps(ours)), copy.copy(ours), copy.deepcopy(ours)):
        assert copied == ours
        assert type(copied) is Light


@pytest.mark.parametrize(
    ("given", "named"),
    [((), {}), (("a", 1, (), 2), {}), (("a",), {"name": "b"}), (("a",), {"other": 1}), ((), {"size": 1})],
)  # fmt: skip
def test_a_wrong_call_is_refused(given: tuple[Made, ...], named: dict[str, Made]) -> None:
    for kind in (Light, Full):
        with pytest.raises(TypeError):
            kind(*given, **named)


def test_it_is_frozen_matched_and_checked_as_the_library_s_is() -> None:
    kinds: tuple[Made, ...] = (Light, Full)
    for kind in kinds:
        value = kind("a")
        with pytest.raises(AttributeError):
            value.name = "b"
        with pytest.raises(AttributeError):
            value.other = "b"
        with pytest.raises(
            (TypeError, ValueError)
        ):  # the library raises one or the other by version
            value._replace(other=1)
        assert kind.__match_args__ == kind._fields == ("name", "size", "parts")
    for base in (typed.NamedTuple, typing.NamedTuple):  # a field without a default comes last
        with pytest.raises(TypeError):
            _without_default(base)


def _without_default(base: Made) -> Made:
    class Wrong(base):  # type: ignore[misc]
        first: int = 1
        second: str

    return Wrong
