"""Shell text to words and back: what a half-typed line says, and how a name is put into it."""

from __future__ import annotations

# Characters that mean nothing to bash wherever they stand in a word; letters of all scripts as well.
_PLAIN = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_./:=@%+,-")
_BLANK = " \t\n"
# What a backslash takes its meaning from between quotes.
_QUOTED = {
    "bash": {'"': '"\\$`\n', "'": ""},
    "fish": {'"': '"\\$\n', "'": "'\\"},
}


class Word:
    """A word of a line: what it means, where it begins, and the quote still open at its end."""

    __slots__ = ("open", "start", "text")

    def __init__(self, text: str, start: int, quote: str) -> None:
        self.text = text
        self.start = start
        self.open = quote


def words(line: str, shell: str) -> list[Word]:
    """Return the words of a simple command; the last one is that at its end, empty behind a blank.

    Quotes and backslashes are taken away; variables and command substitutions stay as typed.
    """
    found: list[Word] = []
    text: list[str] = []
    quote = ""
    start = -1
    at = 0
    while at < len(line):
        char = line[at]
        if quote:
            if char == "\\" and at + 1 < len(line) and line[at + 1] in _QUOTED[shell][quote]:
                at += 1
                text.append("" if line[at] == "\n" else line[at])
            elif char == quote:
                quote = ""
            else:
                text.append(char)
        elif line.startswith("\\\n", at):  # the line goes on
            at += 1
        elif char in _BLANK:
            if start >= 0:
                found.append(Word("".join(text), start, ""))
            text, start = [], -1
        else:
            start = at if start < 0 else start
            if char == "\\":
                at += 1
                text.append(line[at : at + 1])
            elif char in "'\"":
                quote = char
            else:
                text.append(char)
        at += 1
    found.append(Word("".join(text), start if start >= 0 else len(line), quote))
    return found


def in_bash(text: str, quote: str, *, first: bool) -> str:
    """Return text as bash takes it literally behind an open quote ('' for none).

    A quote that is open stays so: readline closes it, but not behind a character that is one. `first`: it begins a word.
    """
    if quote == "'":
        return text.replace("'", "'\\''") + ("'" if text.endswith("'") else "")
    if quote:
        done = "".join("\\" + char if char in '"\\$`' else char for char in text)
        done += '"' if text.endswith('"') else ""
        return done.replace("!", "\"'!'\"")  # there it cannot be escaped, and means the history
    done = "".join(c if c in _PLAIN or c > "\x7f" else "\\" + c for c in text)
    return done or ("''" if first else "")
