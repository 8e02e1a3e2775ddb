"""Command lines of terraform whose answer we write: `output --format`, `generate planfile`, `plan-diff`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wrapper.cli import args
from wrapper.cli.args import Flag
from wrapper.errors import UsageError, near
from wrapper.terraform.invocation import Answer, Invocation

OUTPUT = (
    Flag("format", "f"),
    Flag("output-file", "o"),
    Flag("uppercase", "u", "bool"),
    Flag("flatten", takes="bool"),
)
PLAN_DIFF = (Flag("orig"), Flag("new"))
_VARIABLES = {
    "format": "ATMOS_TERRAFORM_OUTPUT_FORMAT",
    "output-file": "ATMOS_TERRAFORM_OUTPUT_FILE",
    "uppercase": "ATMOS_TERRAFORM_OUTPUT_UPPERCASE",
    "flatten": "ATMOS_TERRAFORM_OUTPUT_FLATTEN",
}
# Terraform's own formats of outputs.
_OWN = ("-json", "--json", "-raw", "--raw")
_PLANFILES = ("json", "yaml")


def read(
    invocation: Invocation,
    given: Mapping[str, str],
    environ: Mapping[str, str],
    valued: frozenset[str],
) -> Invocation:
    """Return the invocation, with what becomes of the answer where that is not just shown.

    `given` holds the options typed, `valued` Terraform's options that have a value behind them.
    Raises: UsageError. Source: reference/atmos-stacks.md 5.8.
    """
    sub = invocation.subcommand
    if invocation.verify_plan and sub in ("apply", "deploy"):
        _check_verify(invocation)
    if sub == "output":
        return _output(invocation, given, environ, valued)
    if sub == "plan-diff":
        return _plan_diff(invocation, given)
    if (sub, *invocation.words) == ("generate", "planfile"):
        return _planfile(invocation)
    return invocation


def _output(
    invocation: Invocation,
    given: Mapping[str, str],
    environ: Mapping[str, str],
    valued: frozenset[str],
) -> Invocation:
    own = [word for word in invocation.arguments if word.partition("=")[0] in _OWN]
    several = invocation.bulk is not None
    typed = next((f"--{flag.name}" for flag in OUTPUT if flag.name in given), "")
    variables = {} if own or several else {f: environ.get(v, "") for f, v in _VARIABLES.items()}
    last = {**variables, **given}
    form = last.get("format", "")
    if not form:
        if typed:
            raise UsageError(f"{typed} needs --format", hint="such as --format json")
        return invocation
    if own:
        raise UsageError(f"--format and Terraform's own {own[0]} do not go together")
    if several:
        raise UsageError("output --format is for one component", hint="name one, and its stack")
    from wrapper.terraform.formats import FORMATS

    _check("format", form, FORMATS)
    file = last.get("output-file") or None
    if form == "github" and file is None:
        file = environ.get("GITHUB_OUTPUT")
        if not file:
            raise UsageError(
                "--format github writes to the file in GITHUB_OUTPUT, and that is not set",
                hint="name a file with --output-file (-o)",
            )
    names, options = _apart(invocation.arguments, valued)
    if len(names) > 1:
        raise UsageError(f"one output at most: {names[1]} is one too many")
    answer = Answer(
        "output",
        form,
        file,
        name=names[0] if names else None,
        uppercase=args.truth("uppercase", last.get("uppercase") or "false"),
        flatten=args.truth("flatten", last.get("flatten") or "false"),
    )
    return invocation._replace(arguments=("-json", *options), answer=answer)


def _apart(words: Sequence[str], valued: frozenset[str]) -> tuple[list[str], list[str]]:
    """Return the bare words, and the options with their values."""
    bare: list[str] = []
    options: list[str] = []
    index = 0
    while index < len(words):
        word = words[index]
        taken = 2 if word in valued else 1
        (options if word.startswith("-") else bare).extend(words[index : index + taken])
        index += taken
    return bare, options


def _planfile(invocation: Invocation) -> Invocation:
    form = invocation.format or "json"
    _check("format", form, _PLANFILES)
    _refuse_out(invocation)
    answer = Answer("planfile", form, invocation.file)
    # The file is that of the answer: the varfile goes where it always goes.
    return invocation._replace(subcommand="plan", words=(), file=None, answer=answer)


def _plan_diff(invocation: Invocation, given: Mapping[str, str]) -> Invocation:
    if not given.get("orig"):
        raise UsageError("plan-diff needs --orig", hint="the plan file to compare with")
    new = given.get("new") or None
    answer = Answer("plan-diff", original=given["orig"], new=new)
    if new is None:
        _refuse_out(invocation)
        return invocation._replace(subcommand="plan", answer=answer)
    if invocation.arguments:
        raise UsageError(
            f"with --new no plan is made: {invocation.arguments[0]} does not go with it"
        )
    return invocation._replace(subcommand="show", answer=answer)


def _check_verify(invocation: Invocation) -> None:
    """Refuse `--verify-plan` where nothing would be verified. Raises: UsageError."""
    if not invocation.from_plan and invocation.planfile is None:
        raise UsageError(
            "--verify-plan needs a plan to look at",
            hint="add --from-plan, or --planfile FILE",
        )


def _refuse_out(invocation: Invocation) -> None:
    if any(word == "-out" or word.startswith("-out=") for word in invocation.arguments):
        raise UsageError(
            f"-out does not go with {invocation.command}: its plan is not kept",
            hint="`terraform plan … -out FILE` keeps one",
        )


def _check(flag: str, text: str, known: Sequence[str]) -> None:
    if text not in known:
        raise UsageError(
            f'invalid argument "{text}" for the flag --{flag}',
            hint=near(text, known) or f"it takes {', '.join(known)}",
        )
