"""Functions of gomplate's name spaces for tests, parsing, tables and chance.

They are named as in `gomplate`: `test.Required` is `test__Required`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping

from wrapper.stacks import inputs
from wrapper.stacks.template import go_text
from wrapper.typed import Any

_KINDS = (
    (bool, "bool"), (int, "int"), (float, "float64"), (str, "string"), (Mapping, "map"),
    (list | tuple, "slice"),
)  # fmt: skip
_LONGEST = 1_000_000


def functions(to_bool: Callable[[Any], bool]) -> dict[str, Callable[..., Any]]:
    """Return the functions by name; `to_bool` is `conv.ToBool`."""

    def asserted(*given: Any) -> str:
        if not 1 <= len(given) <= 2:
            raise ValueError(f"wrong number of args: want 1 or 2, got {len(given)}")
        if not to_bool(given[-1]):
            raise ValueError(f"assertion failed: {given[0]}" if given[1:] else "assertion failed")
        return ""

    def ternary(yes: Any, no: Any, value: Any) -> Any:
        return yes if to_bool(value) else no

    return {
        "test__Assert": asserted, "assert": asserted,
        "test__Fail": _fail,
        "test__Required": _required, "required": _required,
        "test__Kind": _kind, "kind": _kind,
        "test__IsKind": _is_kind, "isKind": _is_kind,
        "test__Ternary": ternary,
        "conv__Atoi": lambda v: _integer(v, 10), "conv__ParseInt": lambda v, base, _: _integer(v, base),
        "conv__ParseUint": lambda v, base, _: max(0, _integer(v, base)),
        "conv__ParseFloat": lambda v, _: _float(v),
        "conv__ParseBool": lambda v: v in ("1", "t", "T", "TRUE", "true", "True"),
        "math__IsInt": lambda v: _literal(v) is int,
        "math__IsFloat": lambda v: _literal(v) is float,
        "math__IsNum": lambda v: _literal(v) is not None,
        "path__Match": _match, "filepath__Match": _match,
        "filepath__Rel": _relative,
        "filepath__FromSlash": str, "filepath__ToSlash": str,
        "filepath__VolumeName": lambda _: "",
        "strings__WordWrap": _wrapped,
        "data__CSV": _rows, "csv": _rows,
        "data__CSVByRow": _by_row, "csvByRow": _by_row,
        "data__CSVByColumn": _by_column, "csvByColumn": _by_column,
        "data__ToCSV": _to_csv, "toCSV": _to_csv,
        "data__TOML": _toml, "toml": _toml,
        "random__Number": _number, "random__Float": _random_float,
        "random__Item": _item,
        "random__Alpha": lambda n: _letters(n, "[A-Za-z]"),
        "random__AlphaNum": lambda n: _letters(n, "[A-Za-z0-9]"),
        "random__ASCII": lambda n: _letters(n, "[ -~]"),
        "uuid__V4": _uuid,
        "uuid__Nil": lambda: "00000000-0000-0000-0000-000000000000",
        "uuid__IsValid": lambda v: bool(re.fullmatch(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}", str(v))),
    }  # fmt: skip


def _fail(*message: Any) -> str:
    told = f": {go_text(message[0])}" if message and message[0] != "" else ""
    raise ValueError("template generation failed" + told)


def _required(*given: Any) -> Any:
    if not 1 <= len(given) <= 2:
        raise ValueError(f"wrong number of args: want 1 or 2, got {len(given)}")
    if given[-1] is None or given[-1] == "":
        told = given[0] if given[1:] else ""
        raise ValueError(told or "can not render template: a required value was not set")
    return given[-1]


def _kind(value: Any) -> str:
    return next((name for kind, name in _KINDS if isinstance(value, kind)), "invalid")


def _is_kind(wanted: Any, value: Any) -> bool:
    kind = _kind(value)
    return kind == wanted or (wanted == "number" and kind in ("int", "float64"))


def _integer(value: Any, base: int) -> int:
    try:
        return int(str(value), int(base))
    except ValueError:
        return 0


def _float(value: Any) -> float:
    try:
        return float(str(value))
    except ValueError:
        return 0.0


def _literal(value: Any) -> type | None:
    """Return the kind of number that a value is, or that a text holds."""
    if isinstance(value, bool):
        return None
    if isinstance(value, int | float):
        return type(value)
    text = str(value)
    if re.fullmatch(r"[+-]?(0[xX][0-9a-fA-F]+|0[bB][01]+|0[oO]?[0-7]*|[1-9][0-9]*)", text):
        return int
    found = re.fullmatch(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?[iI]nf|NaN", text)
    return float if found else None


def _match(pattern: Any, name: Any) -> bool:
    import fnmatch

    return all(
        fnmatch.fnmatchcase(part, wanted)
        for part, wanted in zip(str(name).split("/"), str(pattern).split("/"), strict=False)
    ) and str(name).count("/") == str(pattern).count("/")


def _relative(base: Any, target: Any) -> str:
    import posixpath

    return posixpath.relpath(str(target), str(base))


def _wrapped(*given: Any) -> str:
    *options, value = given
    width = next((one for one in options if isinstance(one, int)), 80)
    mark = next((one for one in options if isinstance(one, str)), "\n")
    lines = [""]
    for word in go_text(value).split(" "):
        if lines[-1] and len(lines[-1]) + 1 + len(word) > width:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return mark.join(lines)


def _rows(*given: Any) -> list[list[str]]:
    import csv

    mark = str(given[0]) if len(given) > 1 else ","
    return [row for row in csv.reader(str(given[-1]).splitlines(), delimiter=mark) if row]


def _by_row(*given: Any) -> list[dict[str, str]]:
    head, *rows = _rows(*given) or [[]]
    return [dict(zip(head, row, strict=False)) for row in rows]


def _by_column(*given: Any) -> dict[str, list[str]]:
    head, *rows = _rows(*given) or [[]]
    return {name: [row[at] for row in rows] for at, name in enumerate(head)}


def _to_csv(*given: Any) -> str:
    import csv
    import io

    out = io.StringIO()
    mark = str(given[0]) if len(given) > 1 else ","
    csv.writer(out, delimiter=mark, lineterminator="\r\n").writerows(
        [go_text(cell) for cell in row] for row in given[-1]
    )
    return out.getvalue()


def _toml(value: Any) -> dict[str, Any]:
    import tomllib

    return tomllib.loads(str(value))


def _number(*bounds: Any) -> int:
    import random

    inputs.note()
    low, high = bounds if len(bounds) == 2 else (0, bounds[0] if bounds else 100)
    return random.randint(int(low), int(high))  # noqa: S311


def _random_float(*bounds: Any) -> float:
    import random

    inputs.note()
    low, high = bounds if len(bounds) == 2 else (0, bounds[0] if bounds else 1)
    return random.uniform(float(low), float(high))  # noqa: S311


def _item(items: Any) -> Any:
    import random

    inputs.note()
    return random.choice(list(items))  # noqa: S311


def _letters(count: Any, kind: str) -> str:
    import random

    inputs.note()
    if not 0 < int(count) <= _LONGEST:
        raise ValueError("the length must be positive, and not so great")
    known = [chr(code) for code in range(32, 127) if re.match(kind, chr(code))]
    return "".join(random.choices(known, k=int(count)))  # noqa: S311


def _uuid() -> str:
    import uuid

    inputs.note()
    return str(uuid.uuid4())
