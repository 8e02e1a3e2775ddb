"""Write wrapper/complete/commands.py: every command with its arguments and flags, for Tab.

usage: python .ci/completion_words.py [--check]. It is read from the commands themselves, whose
modules are too slow to load at a Tab. What a new flag or argument takes must be said here.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FILE = Path(__file__).parent.parent / "wrapper/complete/commands.py"
HEAD = '''\
"""Every command with what it takes; made by .ci/completion_words.py, not by hand.

A command is its words joined by blanks: what it does, the kinds of its arguments, its flags. A
flag is (long, short, takes, kind, text), see `wrapper.complete.flags`.
"""

from __future__ import annotations

# fmt: off
Flag = tuple[str, str, str, str, str]
COMMANDS: dict[str, tuple[str, tuple[str, ...], tuple[Flag, ...]]] = {
'''
FORMATS = (
    "json yaml table csv tsv text bash zsh fish dotenv env github graphviz mermaid markdown tree "
    "matrix toml hcl html list"
).split()
TRUTH = "true|false"
# What the value of a flag is, by its name or by command and name; '' is free text.
FLAGS = {
    "--abstract": TRUTH, "--component": "component", "--component-types": "terraform|helmfile|packer*",
    "--components": "component*", "--enabled": TRUTH, "--error-mode": "strict|warn|silent", "--file": "file", "--identities": "identity*",
    "--locked": TRUTH, "--output-file": "file", "--process-functions": TRUTH,
    "--process-templates": TRUTH, "--provider": "provider", "--providers": "provider*",
    "--sections": "vars|env|settings|metadata|backend|backend_type|providers|auth*",
    "--shell": "program", "--skip": "function", "--stack": "stack", "--type": "real|abstract|all",
    "auth whoami --output": "json|table", "workflow --file": "workflow-file", "list workflows --file": "workflow-file",
    "prompt --format": "", "--clone-target-ref": TRUTH, "--repo-path": "dir",
}  # fmt: skip
FREE = frozenset(
    (
        "--delimiter --destination --duration --from-step --issuer --labels --max-columns --mfa-code "
        "--query --tags --production --sha --ref --columns --sort --filter --ssh-key "
        "--ssh-key-password --depth --head --base --forget"
    ).split()
)
# What an argument is, by its name or by command and name; '' is free text.
ARGUMENTS = {
    "component": "component", "directory": "dir", "identity": "identity", "shell": "bash|zsh|fish",
    "profile show name": "profile", "describe schema name": "config|manifest",
    "workflow name": "workflow", "why key": "identity", "use words": "used",
    "deactivate words": "", "reload words": "", "auth shell words": "", "stack": "stack", "fetch source": "",
}  # fmt: skip


def main() -> int:
    """Write the file; with `--check`, say only whether it is as it should be."""
    made = text()
    if "--check" in sys.argv:
        same = FILE.read_text(encoding="utf-8") == made
        print("as it should be" if same else f"{FILE.name} is old: run .ci/completion_words.py")
        return 0 if same else 1
    FILE.write_text(made, encoding="utf-8")
    return 0


def text() -> str:
    """Return the module. Raises: SystemExit for what a flag or argument takes and is not said here."""
    import typer.main

    from wrapper.cli import build

    lines = [HEAD]
    for path, command in walk(typer.main.get_command(build("")), ()):
        name = " ".join(path)
        told = first(command.help or "")
        arguments = tuple(
            looked_up(ARGUMENTS, name, one.name, "argument")
            for one in command.params
            if not one.param_type_name.startswith("option") and not getattr(one, "hidden", False)
        )
        options = [
            flag(name, one, command.help or "")
            for one in command.params
            if one.param_type_name == "option" and not one.hidden and one.name != "help"
        ]
        lines.append(f"    {quoted(name)}: ({quoted(told)}, {row(arguments)}, (\n")
        lines += [f"        {row(one)},\n" for one in options]
        lines.append("    )),\n")
    return "".join(lines) + "}\n"


def row(values: tuple[str, ...]) -> str:
    """Return texts as a tuple in one line, the last one shortened until it fits."""
    *most, last = values or ("",)
    while True:
        inner = ", ".join(map(quoted, (*most, last)))
        if not values or len(inner) < 86 or len(last) < 12:
            return f"({inner if values else ''}{',' if len(values) == 1 else ''})"
        last = last.rstrip("…")[:-1].rstrip() + "…"


def quoted(text: str) -> str:
    """Return a text as Python writes it, between double quotes where it can be."""
    return "'" + text.replace("'", "\\'") + "'" if '"' in text else f'"{text}"'


def walk(command: Any, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Yield every command below one, with its words."""
    if path:
        yield path, command
    for name, one in sorted((getattr(command, "commands", None) or {}).items()):
        if not one.hidden:
            yield from walk(one, (*path, name))


def flag(name: str, option: Any, about: str) -> tuple[str, str, str, str, str]:
    """Return one flag of a command."""
    long = next(each for each in option.opts if each.startswith("--"))
    short = next((each for each in option.opts if not each.startswith("--")), "")
    told = first(option.help or "")
    if option.is_flag:
        return long, short, "bool", "", told
    known = f"{name} {long}" in FLAGS
    if long == "--format" and not known:
        kinds = (
            formats(option.help or "") or formats(about) or formats("table, json, yaml, csv, tsv")
        )
        return long, short, "value", "|".join(kinds), "format of the output"
    return long, short, "value", looked_up(FLAGS, name, long, "flag"), told


def formats(help_: str) -> list[str]:
    """Return the formats that a text names, in its order."""
    return [each for each in dict.fromkeys(re.findall(r"[a-z]+", help_)) if each in FORMATS]


def looked_up(table: dict[str, str], name: str, what: str, title: str) -> str:
    """Return what a flag or argument takes. Raises: SystemExit when it is not said."""
    for key in (f"{name} {what}", what):
        if key in table:
            return table[key]
    if what in FREE:
        return ""
    sys.exit(f"error: say in .ci/completion_words.py what the {title} {what} of `{name}` takes")


def first(help_: str) -> str:
    """Return the first line of a text, without its full stop."""
    return " ".join(help_.strip().split("\n\n")[0].split()).rstrip(".")


if __name__ == "__main__":
    sys.exit(main())
