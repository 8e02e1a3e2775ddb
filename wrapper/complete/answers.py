"""Answers in the form that the asking shell, or a script written for cobra, understands."""

from __future__ import annotations

import os

from wrapper import complete
from wrapper.complete import lexing, offers, place

# So many characters of what a name is stand beside it; more only pushes the list apart.
_ABOUT = 60


def of_cobra(argv: list[str]) -> str:
    """Return names one to a line, with what they are behind a tab, then `:` and a directive.

    Source: cobra's `__complete`; which names Atmos gives: reference/atmos-auth.md 2.1.
    """
    words = argv[1:] or [""]
    found = place.look(words, len(words) - 1)
    if found.kind == "provider":  # Atmos leaves them to the shell
        return f":{complete.FILES}\n"
    if found.kind in ("identity", "stack", "component", "profile"):
        found.value = ""  # whoever asks chooses those that fit
    offer = offers.at(found)
    told = argv[0] == "__complete" and found.kind in ("commands", "words", "flags")
    lines = []
    for name, about in offer.names:
        name = name[len(found.head) :]
        lines.append(f"{name}\t{about}\n" if told and about else f"{name}\n")
    directive = {"files": complete.FILES, "dirs": complete.DIRECTORIES}.get(offer.more)
    if directive is None:
        unknown = offer.more in ("command", "program")
        directive = complete.FILES if unknown else complete.NAMES_ONLY
    if directive == complete.NAMES_ONLY and lines and all(one[-2:] == "=\n" for one in lines):
        directive += complete.NO_SPACE
    return "".join(lines) + f":{directive}\n"


def of_shell(shell: str, given: list[str]) -> str:
    """Return `WHAT NUMBER`, then what the shell may insert, one to a line.

    WHAT is `names`, or `files`, `dirs`, `program`, `command` for what the shell finds by itself; the
    number is the length of the word's part that stays, for `command` the word it begins with.
    """
    if shell == "zsh":
        at, words = int(given[0]), given[1:]
        return _zsh(place.look(words, at))
    before, after = given[:2]
    typed = lexing.words(before, shell)
    skip = 0
    while skip < len(typed) - 1 and _is_assignment(before[typed[skip].start :]):
        skip += 1  # variables before the program
    typed = typed[skip:]
    behind = lexing.words(after, shell)
    # What stands right behind the cursor is the rest of its word, which the shell keeps.
    cut = 0 if after[:1].isspace() else 1
    rest = [word.text for word in behind[cut:] if word.text]
    found = place.look([*(word.text for word in typed[1:]), *rest], len(typed) - 2)
    if shell == "bash":
        return _bash(found, before, typed, given[2])
    return _fish(found, before, typed)


def _is_assignment(text: str) -> bool:
    name, equals, _ = text.partition("=")
    return bool(equals) and name.isidentifier()


def _zsh(found: place.Place) -> str:
    offer = offers.at(found)
    if offer.more == "command":
        return f"command {found.program_at}\n{found.program}\n"
    cut = len(found.head)
    names = [(name[cut:], about) for name, about in offer.names]
    if any(about for _, about in names):
        wide = min(40, max(len(name) for name, _ in names))
        shown = [
            f"{name}\t{f'{name:<{wide}}  -- {about[:_ABOUT]}' if about else name}"
            for name, about in names
        ]
    else:
        shown = [f"{name}\t{name}" for name, _ in names]
    what = "flags" if found.kind == "flags" else offer.more
    return "\n".join((f"{what} {cut}", *shown)) + "\n"


def _fish(found: place.Place, before: str, typed: list[lexing.Word]) -> str:
    offer = offers.at(found)
    if offer.more == "command":
        rest = before[typed[found.program_at + 1].start :]
        return f"command 0\n{f'{found.program} ' if found.program else ''}{rest}\n"
    if offer.more != "names":
        return f"{offer.more} {len(found.head)}\n{found.head}\n{found.value}\n"
    lines = [f"{name}\t{about[:_ABOUT]}" if about else name for name, about in offer.names]
    return "\n".join(("names 0", *lines)) + "\n"


def _bash(found: place.Place, before: str, typed: list[lexing.Word], text: str) -> str:
    """Return what readline puts in the place of `text`, the end of the line up to the cursor."""
    offer = offers.at(found)
    if offer.more == "command":
        program = typed[found.program_at + 1]
        end = (
            typed[found.program_at + 2].start if found.program_at + 2 < len(typed) else len(before)
        )
        return f"command 0\n{before[program.start : end].rstrip()}\n"
    last = typed[-1]
    raw = before[last.start :]
    kept = raw[: len(raw) - len(text)] if text and raw.endswith(text) else raw if not text else ""
    if offer.more != "names":
        return f"{offer.more} 0\n"
    # What stays means the beginning of the name; names that begin otherwise cannot be meant.
    meant = lexing.words(kept, "bash")[-1].text if kept else ""
    whole = found.head + found.value
    names = [
        lexing.in_bash(name[len(meant) :], last.open, first=not kept)
        for name, _ in offer.names
        if name.startswith(whole) and name.startswith(meant)
    ]
    what = (
        "nospace" if found.kind == "flags" and len(names) == 1 and names[0][-1:] == "=" else "names"
    )
    return "\n".join((f"{what} 0", *names)) + "\n"


def directory() -> str:
    """Return the working directory as the shell names it, '' when it is gone."""
    try:
        physical = os.getcwd()
    except OSError:
        return ""
    logical = os.environ.get("PWD", "")
    try:
        if os.path.isabs(logical) and os.path.samefile(logical, physical):
            return os.path.normpath(logical)
    except OSError:
        return physical
    return physical
