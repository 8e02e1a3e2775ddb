"""What stands at the cursor: read from the words of a line, those behind the cursor too."""

from __future__ import annotations

from wrapper.complete import flags, terraform
from wrapper.complete.commands import COMMANDS, Flag

_EXEC = "auth exec"
# Sub-commands of terraform that do nothing without a word of their own.
_WORDS = ("state", "generate", "backend", "source", "workdir")
_FREE = "text"


class Place:
    """The place of the cursor.

    `at` is its word's number, `kind` is what may stand there: a kind of name (see `flags`), `commands`, `flags`, `words` (in
    `choices`), `custom`, `file`, `dir`, `program`, `command` (another program's line, from the word
    `program_at` on, behind `program` if that is not ''), '' for anything. `head` is the part of the word that stays, `value` that which
    is completed. `path` are the words of the command, `arguments` those behind it ('' for the word
    at the cursor); `values` the values of flags by long name, `stack` and `component` those named.
    """

    def __init__(self) -> None:
        self.at = 0
        self.kind = ""
        self.head = ""
        self.value = ""
        self.choices: list[tuple[str, str]] = []
        self.path: list[str] = []
        self.arguments: list[str] = []
        self.values: dict[str, list[str]] = {}
        self.stack = ""
        self.component = ""
        self.program = ""
        self.program_at = 0


def look(words: list[str], at: int) -> Place:
    """Return the place of the word number `at` of a line; `words` are without the program."""
    scan = _Scan(words, at)
    scan.run()
    found = scan.place
    found.at = at
    found.stack = next(iter(found.values.get("--stack", [])[-1:]), "")
    found.component = next(iter(found.values.get("--component", [])[-1:]), "")
    kinds = _arguments(found.path)
    if not found.component and "component" in kinds[:1] and found.arguments:
        found.component = found.arguments[0]
    return found


class _Scan:
    def __init__(self, words: list[str], at: int) -> None:
        self.words = words
        self.at = at
        self.place = Place()
        self.dashes = False
        self.foreign = False
        self.pending: Flag | None = None

    def run(self) -> None:
        for number, word in enumerate(self.words):
            if number == self.at:
                self._cursor(word)
            elif self.pending is not None and not (
                self.pending[2] == "optional" and word.startswith("-")
            ):
                self._value(self.pending, word)
                self.pending = None
            elif self.foreign:
                continue
            elif self.dashes:
                self._bare(word, number)
            elif word == "--":
                self.pending = None
                self.dashes = True
            elif word.startswith("-") and len(word) > 1:
                self._flag(word)
            else:
                self._bare(word, number)

    def _value(self, flag: Flag, value: str) -> None:
        self.place.values.setdefault(flag[0], []).append(value)

    def _flag(self, word: str) -> None:
        self.pending = None
        name, equals, value = word.partition("=")
        flag = named(name, self.place.path)
        if flag is None:
            short = named(word[:2], self.place.path) if word[:2] != "--" else None
            if short is not None and short[2] == "value" and not _is_terraform(self.place.path):
                self._value(short, word[2:])
            return
        if equals:
            self._value(flag, value)
        elif flag[2] in ("value", "optional"):
            self.pending = flag
            self.place.values.setdefault(flag[0], [])
        else:
            self._value(flag, "true")

    def _bare(self, word: str, number: int) -> None:
        place, path = self.place, self.place.path
        if _runs_programs(path):
            self._program(number)
            return
        if _is_terraform(path) and not place.arguments:
            own = terraform.WORDS.get(path[1], ()) if len(path) > 1 else ()
            if len(path) == 1 or (len(path) == 2 and word in own):
                path.append(word)
                return
        elif not path and word == "help":
            return
        elif not path or (not place.arguments and " ".join((*path, word)) in known()):
            path.append(word)
            return
        place.arguments.append(word)

    def _cursor(self, word: str) -> None:
        place = self.place
        place.value = word
        pending, self.pending = self.pending, None
        if pending is not None and not (pending[2] == "optional" and word.startswith("-")):
            place.kind = pending[3]
            self._value(pending, "")
            place.values[pending[0]].pop()
            return
        if self.foreign or (self.dashes and _runs_programs(place.path)):
            place.kind = "command"
            if not self.foreign:
                self._program(self.at)
            return
        if self.dashes:
            place.kind = "file"
        elif word.startswith("-"):
            self._typed_flag(word)
        else:
            self._argument()

    def _program(self, number: int) -> None:
        """Note that from a word on the line is another program's."""
        path = self.place.path
        self.foreign = True
        self.place.program = "" if path[-1] == "exec" else path[-1]
        self.place.program_at = number

    def _typed_flag(self, word: str) -> None:
        place = self.place
        name, equals, value = word.partition("=")
        if equals:
            flag = named(name, place.path)
            place.head, place.value = name + "=", value
            place.kind = flag[3] if flag is not None else ""
            return
        short = named(word[:2], place.path) if len(word) > 2 and word[1] != "-" else None
        if short is not None and short[2] == "value" and not _is_terraform(place.path):
            place.head, place.value, place.kind = word[:2], word[2:], short[3]
            return
        place.kind = "flags"

    def _argument(self) -> None:
        place, path = self.place, self.place.path
        if not path:
            place.kind = "commands"
        elif _runs_programs(path):
            place.kind = "command"
            self._program(self.at)
            return
        elif _is_terraform(path):
            self._terraform()
        elif path[0] not in known():
            place.kind = "custom"
        elif below := _below(path):
            place.kind, place.choices = "words", below
        else:
            kinds = _arguments(path)
            number = len(place.arguments)
            place.kind = kinds[number] if number < len(kinds) else ""
        place.arguments.append("")

    def _terraform(self) -> None:
        place, path = self.place, self.place.path
        place.kind = "component"
        if len(path) == 1:
            place.kind, place.choices = "words", list(terraform.SUBCOMMANDS.items())
        elif place.arguments:
            place.kind = "file"
        elif len(path) == 2 and path[1] in terraform.WORDS:
            place.choices = [(word, "") for word in terraform.WORDS[path[1]]]
            place.kind = "words" if path[1] in _WORDS else "component"
        elif path[1] in ("login", "logout", "metadata", "version"):
            place.kind = ""


def _is_terraform(path: list[str]) -> bool:
    return path[:1] == ["tf"] or (path[:1] != [] and path[0] in flags.TERRAFORM)


def _runs_programs(path: list[str]) -> bool:
    return (len(path) == 1 and path[0] in flags.PROGRAMS) or path == ["auth", "exec"]


def known() -> dict[str, str]:
    """Return every command's words with what it does."""
    found = {name: about[0] for name, about in COMMANDS.items()}
    return {**found, **flags.PROGRAMS, **flags.TERRAFORM, _EXEC: flags.PROGRAMS["exec"]}


def commands() -> list[tuple[str, str]]:
    """Return the first words that there are, with what they do."""
    return [(name, about) for name, about in known().items() if " " not in name]


def _below(path: list[str]) -> list[tuple[str, str]]:
    start = " ".join(path) + " "
    cut = len(start)
    return [
        (name[cut:], about)
        for name, about in known().items()
        if name.startswith(start) and " " not in name[cut:]
    ]


def _arguments(path: list[str]) -> tuple[str, ...]:
    if _is_terraform(path):
        return ("component",)
    return COMMANDS.get(" ".join(path), ("", (), ()))[1]


def of(path: list[str]) -> list[Flag]:
    """Return the flags of a command, its own first; Terraform's own have one dash."""
    found: list[Flag] = []
    if _is_terraform(path):
        found += [*terraform.OURS, *terraform.MORE.get(path[1] if len(path) > 1 else "", ())]
        words = path[1:]
        own = terraform.OWN.get(" ".join(words), terraform.OWN.get(" ".join(words[:1]), ()))
        for name, kind, text in own:
            takes = "bool" if kind in ("", flags.TRUTH) else "value"
            found.append((name, "", takes, "" if kind == _FREE else kind, text))
    else:
        found += COMMANDS.get(" ".join(path), ("", (), ()))[2]
        takes_component = path[:1] in (["auth"], ["why"]) or _runs_programs(path)
        found += flags.COMPONENT if takes_component else flags.SETTINGS
    met = {flag[0] for flag in found}
    return found + [flag for flag in flags.GLOBAL if flag[0] not in met]


def named(name: str, path: list[str]) -> Flag | None:
    """Return the flag of a command that is written so, None if there is none."""
    return next((flag for flag in of(path) if name in flag[:2] and name), None)
