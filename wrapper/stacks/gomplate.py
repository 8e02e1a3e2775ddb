"""The functions of gomplate's name spaces that manifests use, with Go's results.

A function `strings.Title` is called `strings__Title` here (see `gotemplate.joined`).
"""

from __future__ import annotations

import base64
import json
import math
import posixpath
import re
from collections.abc import Callable, Mapping

from wrapper.stacks import inputs
from wrapper.stacks.template import go_text
from wrapper.typed import Any

_LONGEST = 10_000_000
_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")


def expanded(text: str, environ: Mapping[str, str]) -> str:
    """Return text with `$NAME` and `${NAME}` replaced by the variables' values."""
    return _VARIABLE.sub(lambda match: environ.get(match[1] or match[2], ""), text)


def functions(environ: Mapping[str, str] | None = None) -> dict[str, Callable[..., Any]]:
    """Return all functions by name; `environ` defaults to this process's environment."""
    known = inputs.process() if environ is None else environ
    spaces = {
        "strings": _STRINGS, "coll": _COLL, "conv": _CONV, "math": _MATH, "base64": _BASE64,
        "path": _PATH, "filepath": _PATH, "data": _DATA, "regexp": _regexp(), "crypto": _crypto(),
    }  # fmt: skip

    def getenv(name: Any, *default: Any) -> str:
        return known.get(str(name)) or (str(default[0]) if default else "")

    found = {
        f"{space}__{name}": one for space, some in spaces.items() for name, one in some.items()
    }
    from wrapper.stacks import gomplate_rest, gomplate_time

    found |= gomplate_rest.functions(_bool) | gomplate_time.functions()
    return found | {
        "getenv": getenv,
        "env__Getenv": getenv,
        "env__HasEnv": lambda name: str(name) in known,
        "env__ExpandEnv": lambda text: expanded(str(text), known),
        "toJSON": _DATA["ToJSON"],
        "toJSONPretty": _DATA["ToJSONPretty"],
        "toYAML": _DATA["ToYAML"],
        "json": _DATA["JSON"],
        "jsonArray": _DATA["JSONArray"],
        "yaml": _DATA["YAML"],
        "yamlArray": _DATA["YAMLArray"],
        "bool": _CONV["ToBool"],
        "join": _CONV["Join"],
        "dict": _COLL["Dict"],
        "slice": _COLL["Slice"],
        "has": _COLL["Has"],
        "keys": _COLL["Keys"],
        "values": _COLL["Values"],
        "title": _STRINGS["Title"],
        "toUpper": _STRINGS["ToUpper"],
        "toLower": _STRINGS["ToLower"],
        "trimSpace": _STRINGS["TrimSpace"],
        "replaceAll": _STRINGS["ReplaceAll"],
        "split": _STRINGS["Split"],
        "contains": _STRINGS["Contains"],
        "hasPrefix": _STRINGS["HasPrefix"],
        "hasSuffix": _STRINGS["HasSuffix"],
        "quote": _STRINGS["Quote"],
        "squote": _STRINGS["Squote"],
        "indent": _STRINGS["Indent"],
        "add": _MATH["Add"],
        "sub": _MATH["Sub"],
        "mul": _MATH["Mul"],
        "div": _MATH["Div"],
        "seq": _MATH["Seq"],
        "rem": _MATH["Rem"],
        "pow": _MATH["Pow"],
        "sort": _COLL["Sort"],
        "flatten": _COLL["Flatten"],
        "shellQuote": _STRINGS["ShellQuote"],
        "splitN": lambda v, mark, n: _split_n(mark, n, v),
    }


def _text(value: Any) -> str:
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if isinstance(value, str) else "nil" if value is None else go_text(value)


def _split_n(mark: Any, count: Any, value: Any) -> list[str]:
    """Return at most `count` parts; all of them where it is below nought, none where it is."""
    limit = count - 1 if count > 0 else -1
    if not count:
        return []
    return _text(value).split(mark, limit) if mark else list(_text(value))


def _words(text: str) -> list[str]:
    split = re.sub(r"([a-z0-9])([A-Z])", r"\1 \2", text)
    return [word for word in re.split(r"[^A-Za-z0-9]+", split) if word]


def _title(value: Any) -> str:
    return re.sub(r"(?<!\w)\w", lambda match: match[0].upper(), _text(value))


def _indent(*given: Any) -> str:
    *options, value = given
    width = next((one for one in options if isinstance(one, int)), 1)
    mark = next((one for one in options if isinstance(one, str)), " ")
    return "\n".join(width * mark + line if line else line for line in _text(value).split("\n"))


def _repeat(count: Any, value: Any) -> str:
    text = _text(value)
    if not 0 <= int(count) * max(1, len(text)) <= _LONGEST:
        raise ValueError("strings.Repeat: the count is negative or the result too long")
    return text * int(count)


def _abbrev(*given: Any) -> str:
    text, width = _text(given[-1]), int(given[-2])
    return text if len(text) <= width else text[: width - 3] + "..."


_STRINGS: dict[str, Callable[..., Any]] = {
    "ToUpper": lambda v: _text(v).upper(),
    "ToLower": lambda v: _text(v).lower(),
    "Title": _title,
    "TrimSpace": lambda v: _text(v).strip(),
    "Trim": lambda cut, v: _text(v).strip(cut),
    "TrimLeft": lambda cut, v: _text(v).lstrip(cut),
    "TrimRight": lambda cut, v: _text(v).rstrip(cut),
    "TrimPrefix": lambda part, v: _text(v).removeprefix(part),
    "TrimSuffix": lambda part, v: _text(v).removesuffix(part),
    "Split": lambda mark, v: _text(v).split(mark) if mark else list(_text(v)),
    "SplitN": _split_n,
    "ReplaceAll": lambda old, new, v: _text(v).replace(old, _text(new)),
    "Contains": lambda part, v: part in _text(v),
    "HasPrefix": lambda part, v: _text(v).startswith(part),
    "HasSuffix": lambda part, v: _text(v).endswith(part),
    "Repeat": _repeat,
    "Indent": _indent,
    "Quote": lambda v: json.dumps(_text(v), ensure_ascii=False),
    "Squote": lambda v: "'" + _text(v).replace("'", "''") + "'",
    "ShellQuote": lambda v: "'" + _text(v).replace("'", "'\"'\"'") + "'",
    "Sort": lambda v: sorted(map(_text, v)),
    "Abbrev": _abbrev,
    "Trunc": lambda n, v: _text(v)[: int(n)],
    "SnakeCase": lambda v: "_".join(_words(_text(v))),
    "KebabCase": lambda v: "-".join(_words(_text(v))),
    "CamelCase": lambda v: "".join(
        word if n == 0 else word[:1].upper() + word[1:] for n, word in enumerate(_words(_text(v)))
    ),
    "Slug": lambda v: "-".join(word.lower() for word in re.findall(r"[A-Za-z0-9_]+", _text(v))),
    "RuneCount": lambda *v: sum(len(_text(one)) for one in v),
}


def _dict(*pairs: Any) -> dict[str, Any]:
    values = [*pairs, ""] if len(pairs) % 2 else list(pairs)
    return {_text(values[at]): values[at + 1] for at in range(0, len(values), 2)}


def _unique(items: Any) -> list[Any]:
    found: list[Any] = []
    for item in items:
        if item not in found:
            found.append(item)
    return found


def _flat(items: Any, depth: int = -1) -> list[Any]:
    found: list[Any] = []
    for item in items:
        found += _flat(item, depth - 1) if isinstance(item, list) and depth else [item]
    return found


def _picked(*given: Any) -> dict[str, Any]:
    wanted = _flat(given[:-1])
    return {key: value for key, value in given[-1].items() if key in wanted}


def _merged(*maps: Mapping[str, Any]) -> dict[str, Any]:
    from wrapper.merge import deep_merge

    result: Any = {}
    for one in reversed(maps):
        result = deep_merge(result, one)
    return dict(result)


def _index(*given: Any) -> Any:
    value = given[-1]
    for key in given[:-1]:
        value = value[key]
    return value


_COLL: dict[str, Callable[..., Any]] = {
    "Dict": _dict,
    "Slice": lambda *v: list(v),
    "Has": lambda where, what: what in where,
    "Index": _index,
    "Keys": lambda *maps: [key for one in maps for key in sorted(one)],
    "Values": lambda *maps: [one[key] for one in maps for key in sorted(one)],
    "Append": lambda v, items: [*items, v],
    "Prepend": lambda v, items: [v, *items],
    "Uniq": _unique,
    "Flatten": lambda *v: _flat(v[-1], v[0] if len(v) > 1 else -1),
    "Reverse": lambda v: list(reversed(v)),
    "Sort": lambda *v: sorted(v[-1], key=(lambda one: one[v[0]]) if len(v) > 1 else None),
    "Merge": _merged,
    "Pick": _picked,
    "Omit": lambda *v: {k: x for k, x in v[-1].items() if k not in _flat(v[:-1])},
}


def _number(value: Any) -> int | float:
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, int | float):
        return value
    from wrapper import yamlio

    # Thousands may be parted; what is no number counts as nought.
    found = yamlio.scalar(_text(value).replace(",", "")) if _text(value) else 0
    return found if isinstance(found, int | float) and not isinstance(found, bool) else 0


def _bool(value: Any) -> bool:
    if isinstance(value, bool):
        return value
    if isinstance(value, int | float):
        return value == 1
    return _text(value).lower() in ("1", "t", "true", "yes")


_CONV: dict[str, Callable[..., Any]] = {
    "ToBool": _bool,
    "Bool": _bool,
    "ToBools": lambda *v: [_bool(one) for one in v],
    "ToInt": lambda v: int(_number(v)),
    "ToInt64": lambda v: int(_number(v)),
    "ToInts": lambda *v: [int(_number(one)) for one in v],
    "ToInt64s": lambda *v: [int(_number(one)) for one in v],
    "ToFloat64": lambda v: float(_number(v)),
    "ToFloat64s": lambda *v: [float(_number(one)) for one in v],
    "ToString": _text,
    "ToStrings": lambda *v: [_text(one) for one in v],
    "Join": lambda items, mark: _text(mark).join(map(_text, items)),
    "Default": lambda default, v: v or default,
    "Dict": _dict,
    "Slice": lambda *v: list(v),
    "Has": lambda where, what: what in where,
}


def _folded(two: Callable[[Any, Any], Any]) -> Callable[..., Any]:
    def fold(*given: Any) -> Any:
        numbers = [_number(one) for one in given]
        result = numbers[0]
        for number in numbers[1:]:
            result = two(result, number)
        return result

    return fold


def _seq(*given: Any) -> list[int]:
    numbers = [int(_number(one)) for one in given]
    start, end = (numbers[0], numbers[1]) if len(numbers) > 1 else (1, numbers[0])
    step = abs(numbers[2]) if len(numbers) > 2 else 1
    if not step or abs(end - start) // step > 100_000:
        raise ValueError("math.Seq is too long")
    return list(range(start, end + 1, step) if end >= start else range(start, end - 1, -step))


_MATH: dict[str, Callable[..., Any]] = {
    "Add": _folded(lambda a, b: a + b),
    "Sub": _folded(lambda a, b: a - b),
    "Mul": _folded(lambda a, b: a * b),
    "Div": _folded(lambda a, b: a / b),
    "Rem": lambda a, b: math.trunc(math.fmod(_number(a), _number(b))),
    "Pow": _folded(lambda a, b: a**b if abs(b) < 1000 else math.pow(a, b)),
    "Seq": _seq,
    "Abs": lambda v: abs(_number(v)),
    "Ceil": lambda v: float(math.ceil(_number(v))),
    "Floor": lambda v: float(math.floor(_number(v))),
    "Round": lambda v: float(math.copysign(math.floor(abs(_number(v)) + 0.5), _number(v))),
    "Max": lambda *v: max(map(_number, v)),
    "Min": lambda *v: min(map(_number, v)),
}


def _decoded(value: Any) -> str:
    text = _text(value).translate({ord("-"): "+", ord("_"): "/"}).rstrip("=")
    return base64.b64decode(text + "=" * (-len(text) % 4)).decode("utf-8", "replace")


_BASE64: dict[str, Callable[..., Any]] = {
    "Encode": lambda v: base64.b64encode(_text(v).encode()).decode(),
    "Decode": _decoded,
    "DecodeBytes": _decoded,
}


def _extension(value: Any) -> str:
    name = _text(value).rpartition("/")[2]
    return "." + name.rpartition(".")[2] if "." in name else ""


_PATH: dict[str, Callable[..., Any]] = {
    "Base": lambda v: posixpath.basename(_text(v).rstrip("/")) or ("/" if v else "."),
    "Clean": lambda v: posixpath.normpath(_text(v)),
    "Dir": lambda v: posixpath.normpath(posixpath.dirname(_text(v)) or "."),
    "Ext": _extension,
    "IsAbs": lambda v: _text(v).startswith("/"),
    "Join": lambda *v: posixpath.normpath("/".join(one for one in map(_text, v) if one)),
    "Split": lambda v: ["".join(_text(v).rpartition("/")[:2]), _text(v).rpartition("/")[2]],
}


def _whole(value: Any) -> Any:
    """Return a value whose whole floats are integers, as Go's JSON writes them."""
    if isinstance(value, Mapping):
        return {str(key): _whole(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_whole(item) for item in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _compact(value: Any) -> str:
    return json.dumps(_whole(value), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


def _yaml(value: Any) -> Any:
    from wrapper import yamlio

    return yamlio.load(_text(value).encode(), "template").data


def _to_yaml(value: Any) -> str:
    from wrapper import goyaml

    return goyaml.dumps(value)


_DATA: dict[str, Callable[..., Any]] = {
    "JSON": lambda v: json.loads(_text(v)),
    "JSONArray": lambda v: json.loads(_text(v)),
    "YAML": _yaml,
    "YAMLArray": _yaml,
    "ToJSON": _compact,
    "ToJSONPretty": lambda indent, v: json.dumps(
        _whole(v), indent=indent, sort_keys=True, ensure_ascii=False
    ),
    "ToYAML": _to_yaml,
}


def _regexp() -> dict[str, Callable[..., Any]]:
    from gotpl.funcs import sprig

    known = sprig.text_func_map()
    return {
        "Find": lambda expr, v: known["regexFind"](expr, _text(v)),
        "FindAll": lambda expr, *v: known["regexFindAll"](
            expr, _text(v[-1]), v[0] if len(v) > 1 else -1
        ),
        "Match": lambda expr, v: known["regexMatch"](expr, _text(v)),
        "Replace": lambda expr, new, v: known["regexReplaceAll"](expr, _text(v), new),
        "ReplaceLiteral": lambda expr, new, v: known["regexReplaceAllLiteral"](expr, _text(v), new),
        "Split": lambda expr, *v: known["regexSplit"](
            expr, _text(v[-1]), v[0] if len(v) > 1 else -1
        ),
        "QuoteMeta": lambda v: known["regexQuoteMeta"](_text(v)),
    }


def _crypto() -> dict[str, Callable[..., Any]]:
    import hashlib

    def digest(name: str) -> Callable[..., str]:
        return lambda value: hashlib.new(name, _text(value).encode()).hexdigest()

    names = {"SHA1": "sha1", "SHA224": "sha224", "SHA256": "sha256", "SHA384": "sha384"}
    return {name: digest(known) for name, known in {**names, "SHA512": "sha512"}.items()}
