"""Custom commands as atmos.yaml declares them: what each takes, and what a command line gives it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from wrapper.cli import args, steps
from wrapper.cli.args import Flag
from wrapper.cli.steps import Node
from wrapper.errors import ConfigError, Location, UsageError, near
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.cli.args import Globals
    from wrapper.config import Config

KEYS = (
    "name", "description", "arguments", "flags", "env", "steps", "identity", "component_config",
    "working_directory", "commands", "verbose",
)  # fmt: skip
_ARGUMENT = ("name", "description", "required", "default", "type")
_FLAG = ("name", "shorthand", "type", "description", "usage", "required", "default")
# These flags of every command are also a command's own, when it declares them.
_SHARED = ("stack", "identity")


class Command(NamedTuple):
    """A custom command: the maps that files give it, lowest first; later ones win key by key."""

    name: str
    nodes: tuple[Node, ...]

    def get(self, key: str, default: Any = None) -> Node:
        """Return what the highest file says about a key."""
        node: Node
        for node in reversed(self.nodes):
            if node.value.get(key) is not None:
                return node.get(key)
        return self.nodes[-1].get(key, default)

    def text(self, key: str) -> str:
        """Return a key's text. Raises: ConfigError when it is none."""
        return self.get(key, "").text(f"command `{self.name}`: {key}")

    def items(self, key: str) -> Iterator[Node]:
        """Return a key's entries. Raises: ConfigError when it is no list."""
        return self.get(key, []).items(f"command `{self.name}`: {key}")

    @property
    def commands(self) -> dict[str, Command]:
        """Return the commands below it, by name."""
        what = f"command `{self.name}`: commands"
        return _merged([one for n in self.nodes for one in n.get("commands", []).items(what)])


class Line(NamedTuple):
    """What a command line gives a command: arguments and flags by name, and what follows `--`."""

    arguments: dict[str, str]
    flags: dict[str, str | bool]
    trailing: tuple[str, ...]


def read(config: Config) -> dict[str, Command]:
    """Return the custom commands by name; those of several files are merged by name.

    Raises: ConfigError with the place. Source: reference/atmos-stacks.md 1.3.
    """
    found: list[Node] = []
    for part in config.parts:
        section = part.data.get("commands")
        if section is not None:
            node = Node(section, ("commands",), _places(part.path))
            found += node.items("`commands`")
    return _merged(found)


def _places(path: str) -> steps.Where:
    """Return where key paths of a file stand; the file is read again only for an error."""

    def where(keys: tuple[str | int, ...]) -> Location:
        from wrapper import yamlio

        try:
            with open(path, "rb") as stream:
                return yamlio.locate(stream.read(), path, keys)
        except OSError:
            return Location(path, 1, 1)

    return where


def _merged(nodes: Sequence[Node]) -> dict[str, Command]:
    found: dict[str, list[Node]] = {}
    for node in nodes:
        name = node.map("an entry of `commands`").get("name", "").text("a command's name")
        if not name:
            raise ConfigError("a command has no name", at=node.at)
        found.setdefault(name, []).append(node)
    return {name: Command(name, tuple(several)) for name, several in found.items()}


def named(rest: Sequence[str], known: Mapping[str, Command]) -> tuple[Command, list[str]]:
    """Return the command that the first words name, and what follows."""
    command, at = known[rest[0]], 1
    while at < len(rest) and rest[at] in (below := command.commands):
        command, at = below[rest[at]], at + 1
    return command, list(rest[at:])


def usage(words: Sequence[str], command: Command) -> str:
    """Return what a command is for and what it takes."""
    arguments = [node.map("an argument", _ARGUMENT).value for node in command.items("arguments")]
    flags = [node.map("a flag", _FLAG).value for node in command.items("flags")]
    rows = [
        (
            "Arguments",
            [(str(one.get("name", "")), str(one.get("description") or "")) for one in arguments],
        ),
        (
            "Flags",
            [
                (
                    (f"-{one['shorthand']}, " if one.get("shorthand") else "    ")
                    + f"--{one['name']}",
                    str(one.get("description") or one.get("usage") or ""),
                )
                for one in flags
                if one.get("name")
            ],
        ),
        ("Commands", [(name, one.text("description")) for name, one in command.commands.items()]),
    ]
    told = f"Usage: atmos-wrap {' '.join(words)} [FLAGS] [ARGUMENTS]\n"
    told += f"\n{command.text('description')}\n" if command.text("description") else ""
    for title, entries in rows:
        if entries:
            width = max(len(name) for name, _ in entries)
            told += f"\n{title}:\n"
            told += "".join(f"  {name:<{width}}  {text}".rstrip() + "\n" for name, text in entries)
    return told


def parse(command: Command, words: Sequence[str], given: Globals) -> Line:
    """Return what the words behind a command's name mean to it.

    `--stack` and `--identity` have been taken out before; a command may declare them all the same.
    Raises: UsageError for a flag or argument too much or too few, ConfigError for a bad section.
    """
    declared = [(node.map("a flag", _FLAG), node.value) for node in command.items("flags")]
    flags = [_flag(node) for node, _ in declared]
    values: dict[str, str | bool] = {
        flag.name: _default(node, flag) for flag, (node, _) in zip(flags, declared, strict=True)
    }
    shared = {"stack": given.stack, "identity": given.identity.value if given.identity else None}
    met = {name for name in _SHARED if name in values and shared[name] is not None}
    values.update({name: shared[name] or "" for name in met})
    rest: list[str] = []
    trailing: tuple[str, ...] = ()
    index = 0
    while index < len(words):
        if words[index] == "--":
            trailing = tuple(words[index + 1 :])
            break
        found = args.match(words, index, flags)
        if found is not None:
            is_bool = found.flag.takes == "bool"
            value = args.truth(found.flag.name, found.value) if is_bool else found.value
            values[found.flag.name] = value
            met.add(found.flag.name)
            index += found.used
            continue
        if words[index].startswith("-") and len(words[index]) > 1:
            known = [f"--{flag.name}" for flag in flags]
            hint = near(words[index], known) or f"see `atmos-wrap {command.name} --help`"
            raise UsageError(f"unknown flag: {words[index]}", hint=hint)
        rest.append(words[index])
        index += 1
    for flag, (node, raw) in zip(flags, declared, strict=True):
        if raw.get("required") is True and flag.name not in met and raw.get("default") is None:
            raise UsageError(f"the flag --{flag.name} is required", hint=_declared(node))
    return Line(_arguments(command, rest), values, trailing)


def _declared(node: Node) -> str:
    return f"it is declared at {node.at}"


def _flag(node: Node) -> Flag:
    """Return a declared flag. Raises: ConfigError for one that is a flag of every command."""
    name = node.get("name", "").text("name of a flag")
    short = node.get("shorthand", "").text(f"flag `{name}`: shorthand")
    kind = node.get("type", "").text(f"flag `{name}`: type") or "string"
    if not name:
        raise ConfigError("a flag has no name", at=node.at)
    if kind not in ("string", "bool"):
        hint = "supported are string and bool"
        raise ConfigError(
            f"flag `{name}`: the type `{kind}` is not supported", at=node.at, hint=hint
        )
    for one in args.GLOBAL_FLAGS:
        same = name == one.name and name in _SHARED and short in ("", one.short)
        if not same and (name == one.name or (short and short == one.short)):
            raise ConfigError(
                f"the flag --{one.name}" + (f" (-{one.short})" if one.short else "") + " is taken: "
                "every command has it",
                at=node.at,
                hint=f"give the flag `{name}` another name or shorthand",
            )
    return Flag(name, short, "bool" if kind == "bool" else "value")


def _default(node: Node, flag: Flag) -> str | bool:
    from wrapper.stacks.template import go_text

    value = node.get("default").value
    if flag.takes == "bool":
        return value if isinstance(value, bool) else args.truth(flag.name, str(value or "false"))
    return "" if value is None else go_text(value)


def _arguments(command: Command, rest: Sequence[str]) -> dict[str, str]:
    """Return the arguments by name. Raises: UsageError for one too much or too few."""
    from wrapper.stacks.template import go_text

    found: dict[str, str] = {}
    for number, node in enumerate(command.items("arguments")):
        name = node.map("an argument", _ARGUMENT).get("name", "").text("name of an argument")
        if node.get("type", "string").text(f"argument `{name}`: type") != "string":
            raise ConfigError(
                f"argument `{name}`: only the type `string` is supported", at=node.get("type").at
            )
        default = node.get("default").value
        if number < len(rest):
            found[name] = rest[number]
        elif default is None and node.get("required").value is True:
            raise UsageError(f"the argument {name} is missing", hint=_declared(node))
        else:
            found[name] = "" if default is None else go_text(default)
    if len(rest) > len(found):
        extra = rest[len(found)]
        hint = f"what is for the program of a step stands behind --; see `{command.name} --help`"
        raise UsageError(f'unexpected argument "{extra}"', hint=hint)
    return found
