"""What a command line gives a custom command, and which declarations are refused."""

from __future__ import annotations

from typing import Any

import pytest

from wrapper import yamlio
from wrapper.auth import Setting
from wrapper.cli import custom_command, steps
from wrapper.cli.args import Globals
from wrapper.cli.custom_command import Command, Line
from wrapper.cli.steps import Node
from wrapper.errors import ConfigError, UsageError


def command(text: str) -> Command:
    """Return the command that a YAML map declares."""
    data = yamlio.load(text.encode(), "atmos.yaml").data
    return Command("c", (Node(data, (), yamlio.locator(text.encode(), "atmos.yaml")),))


DECLARED = """\
arguments: [{name: who, required: true}, {name: mood, default: 3}, {name: where}]
flags:
  - {name: loud, shorthand: l, type: bool}
  - {name: calm, type: bool, default: true}
  - {name: tone, shorthand: t, default: soft}
  - {name: stack, shorthand: s}
"""
DEFAULTS: dict[str, str | bool] = {"loud": False, "calm": True, "tone": "soft", "stack": ""}


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["a"], Line({"who": "a", "mood": "3", "where": ""}, DEFAULTS, ())),
        (
            ["-l", "a", "--tone=x", "b", "--", "--loud", "c"],
            Line(
                {"who": "a", "mood": "b", "where": ""},
                {**DEFAULTS, "loud": True, "tone": "x"},
                ("--loud", "c"),
            ),
        ),
        (
            ["a", "-t", "-x", "--calm=false", "-"],
            Line(
                {"who": "a", "mood": "-", "where": ""},
                {**DEFAULTS, "calm": False, "tone": "-x"},
                (),
            ),
        ),
        (["a", "--"], Line({"who": "a", "mood": "3", "where": ""}, DEFAULTS, ())),
    ],
)
def test_words_are_arguments_and_flags(words: list[str], line: Line) -> None:
    assert custom_command.parse(command(DECLARED), words, Globals()) == line


def test_stack_and_identity_of_the_whole_program_are_a_commands_own_when_it_declares_them() -> None:
    one = command("flags: [{name: stack, required: true}, {name: identity}]")
    given = Globals(stack="dev", identity=Setting("x", "--identity"))
    assert custom_command.parse(one, [], given).flags == {"stack": "dev", "identity": "x"}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "the argument who is missing"),
        (["a", "b", "c", "d"], 'unexpected argument "d"'),
        (["a", "--tone"], "flag needs an argument: --tone"),
        (["a", "--loud=maybe"], 'invalid argument "maybe" for the flag --loud'),
        (["a", "-q"], "unknown flag: -q"),
    ],
)
def test_what_a_command_does_not_take_is_refused(words: list[str], message: str) -> None:
    with pytest.raises(UsageError) as caught:
        custom_command.parse(command(DECLARED), words, Globals())
    assert caught.value.message == message


@pytest.mark.parametrize(
    ("text", "message", "line"),
    [
        ("flags:\n- {name: profile}", "the flag --profile is taken: every command has it", 2),
        ("flags:\n- {name: size, shorthand: s}", "the flag --stack (-s) is taken: every command has it", 2),
        ("flags:\n- {name: n, type: int}", "flag `n`: the type `int` is not supported", 2),
        ("flags:\n- {name: n, semantic_type: x}", "a flag: `semantic_type` is not supported", 2),
        ("flags: []\narguments:\n- {name: a, type: stack}", "argument `a`: only the type `string` is supported", 3),
        ("flags: {}", "command `c`: flags: must be a list", 1),
        ("flags: [n]", "a flag: must be a map", 1),
    ],
)  # fmt: skip
def test_what_a_declaration_asks_for_and_is_not_there_is_refused_with_its_place(
    text: str, message: str, line: int
) -> None:
    with pytest.raises(ConfigError) as caught:
        custom_command.parse(command(text), [], Globals())
    at: Any = caught.value.at[0]
    assert (caught.value.message, at.line) == (message, line)


def test_a_later_file_wins_key_by_key_and_adds_commands_below() -> None:
    lower = command(
        "{description: low, identity: a, commands: [{name: x}, {name: y, description: 1st}]}"
    )
    upper = command("{description: high, commands: [{name: y, description: 2nd}]}")
    both = Command("c", (*lower.nodes, *upper.nodes))
    assert (both.text("description"), both.text("identity")) == ("high", "a")
    assert [(n, c.text("description")) for n, c in both.commands.items()] == [
        ("x", ""),
        ("y", "2nd"),
    ]


def step(text: str) -> steps.Step:
    """Return the step that YAML describes, with the directory of the repository at /repo."""
    where = yamlio.locator(text.encode(), "w.yaml")
    return steps.read(
        Node(yamlio.load(text.encode(), "w.yaml").data, (), where), 1, "atmos", "/repo"
    )


@pytest.mark.parametrize(
    ("text", "stack", "words"),
    [
        ("plan 'a b' x", "", ["plan", "a b", "x"]),
        ("terraform plan app", "dev", ["terraform", "plan", "app", "-s", "dev"]),
        ("terraform plan app -- -x", "dev", ["terraform", "plan", "app", "-s", "dev", "--", "-x"]),
        ("aws s3 ls", "dev", ["aws", "s3", "ls"]),
        ("auth exec -- env", "dev", ["auth", "exec", "--", "env"]),
    ],
)
def test_the_stack_stands_before_what_is_another_programs(
    text: str, stack: str, words: list[str]
) -> None:
    assert steps.words(step(f'command: "{text}"'), stack) == words


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{command: '  '}", 'step "step1" has no command'),
        ("{name: a, command: x, when: always}", "step 1: `when` is not supported"),
        ("{command: x, identity: [a]}", 'step "step1": identity: must be text'),
        ("{command: x, env: [a]}", 'step "step1": env: must be a map'),
        ("{command: x, working_directory: a}", 'step "step1": `working_directory` is for steps of type shell'),
        ("7", "step 1: must be a map"),
    ],
)  # fmt: skip
def test_a_step_that_is_not_understood_is_refused(text: str, message: str) -> None:
    with pytest.raises(ConfigError) as caught:
        step(text)
    assert caught.value.message == message


def test_a_quote_that_does_not_end_is_refused() -> None:
    with pytest.raises(ConfigError, match="no closing quotation"):
        steps.words(step("command: plan 'a"), "")
