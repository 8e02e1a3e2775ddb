"""The values of a `.tfvars` or plain `.hcl` file: attributes whose values are literals."""

from __future__ import annotations

import re

from wrapper.typed import Any

_TOKEN = re.compile(
    r"""(?P<space>[ \t\r]+|\#[^\n]*|//[^\n]*|/\*.*?\*/)
      | (?P<line>\n)
      | (?P<heredoc><<-?(?P<word>\w+)\r?\n(?P<body>.*?)(?<=\n)[ \t]*(?P=word)(?=\r?\n|\Z))
      | (?P<string>"(?:[^"\\]|\\.)*")
      | (?P<number>-?\d+(?:\.\d+)?(?:[eE][-+]?\d+)?)
      | (?P<name>[A-Za-z_][\w-]*)
      | (?P<mark>[=:{}\[\],()])
    """,
    re.X | re.S,
)
_WORDS = {"true": True, "false": False, "null": None}
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\"}
_ESCAPE = re.compile(r"\\(?:u[0-9A-Fa-f]{4}|U000[0-9A-Fa-f]{5}|U0010[0-9A-Fa-f]{4}|.)", re.S)
_Token = tuple[str, Any]


def values(text: str) -> dict[str, Any]:
    """Return the attributes of a file. Raises: ValueError for blocks and expressions."""
    tokens = _tokens(text)
    found: dict[str, Any] = {}
    position = 0
    while position < len(tokens):
        kind, value = tokens[position]
        if kind == "line":
            position += 1
            continue
        if kind not in ("name", "string") or tokens[position + 1 : position + 2] != [("mark", "=")]:
            raise ValueError(f"HCL beyond plain values is not supported: {value}")
        found[value], position = _value(tokens, position + 2)
    return found


def _tokens(text: str) -> list[_Token]:
    found: list[_Token] = []
    position = 0
    while position < len(text):
        match = _TOKEN.match(text, position)
        if match is None:
            raise ValueError(f"HCL beyond plain values is not supported: {text[position:][:20]!r}")
        position = match.end()
        if match["space"] is not None:
            continue
        if match["heredoc"] is not None:
            found.append(("string", _heredoc(match["heredoc"], match["body"])))
        elif match["string"] is not None:
            found.append(("string", _string(match["string"][1:-1])))
        elif match["number"] is not None:
            number = match["number"]
            plain = re.fullmatch(r"-?\d+", number) is not None
            found.append(("value", int(number) if plain else float(number)))
        elif match["name"] is not None:
            found.append(("name", match["name"]))
        elif match["line"] is not None:
            found.append(("line", "\n"))
        else:
            found.append(("mark", match["mark"]))
    return found


def _heredoc(whole: str, body: str) -> str:
    lines = body.splitlines(keepends=True)
    if whole.startswith("<<-"):
        margin = min((len(one) - len(one.lstrip()) for one in lines if one.strip()), default=0)
        lines = [one[margin:] if one.strip() else "\n" for one in lines]
    return _literal("".join(lines))


def _string(text: str) -> str:
    return _ESCAPE.sub(lambda one: _unescaped(one[0]), _literal(text))


def _unescaped(text: str) -> str:
    if len(text) > 2:
        code = int(text[2:], 16)
        return "\ufffd" if 0xD800 <= code < 0xE000 else chr(code)
    if text[1] not in _ESCAPES:
        raise ValueError(f"HCL does not know the escape {text}")
    return _ESCAPES[text[1]]


def _literal(text: str) -> str:
    """Return a text whose `$${` and `%%{` stand for themselves. Raises: ValueError for templates."""
    if "${" in text.replace("$${", "") or "%{" in text.replace("%%{", ""):
        raise ValueError("HCL templates are not supported")
    return text.replace("$${", "${").replace("%%{", "%{")


def _skip(tokens: list[_Token], position: int) -> int:
    while position < len(tokens) and tokens[position] in (("line", "\n"), ("mark", ",")):
        position += 1
    return position


def _value(tokens: list[_Token], position: int) -> tuple[Any, int]:
    if position >= len(tokens):
        raise ValueError("HCL ends in the middle of a value")
    kind, value = tokens[position]
    if kind in ("string", "value"):
        return value, position + 1
    if kind == "name" and value in _WORDS:
        return _WORDS[value], position + 1
    if (kind, value) == ("mark", "["):
        return _list(tokens, position + 1)
    if (kind, value) == ("mark", "{"):
        return _map(tokens, position + 1)
    raise ValueError(f"HCL beyond plain values is not supported: {value}")


def _list(tokens: list[_Token], position: int) -> tuple[list[Any], int]:
    items: list[Any] = []
    position = _skip(tokens, position)
    while tokens[position : position + 1] != [("mark", "]")]:
        item, position = _value(tokens, position)
        items.append(item)
        position = _skip(tokens, position)
    return items, position + 1


def _map(tokens: list[_Token], position: int) -> tuple[dict[str, Any], int]:
    items: dict[str, Any] = {}
    position = _skip(tokens, position)
    while tokens[position : position + 1] != [("mark", "}")]:
        if position + 1 >= len(tokens) or tokens[position + 1] not in (
            ("mark", "="),
            ("mark", ":"),
        ):
            raise ValueError("HCL beyond plain values is not supported in a map")
        key = str(tokens[position][1])
        items[key], position = _value(tokens, position + 2)
        position = _skip(tokens, position)
    return items, position + 1
