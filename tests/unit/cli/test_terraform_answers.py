"""Command lines whose answer we write: what Terraform is asked, what becomes of it, what is refused."""

from __future__ import annotations

import pytest

from wrapper.cli import terraform_answers, terraform_args
from wrapper.errors import UsageError
from wrapper.terraform.invocation import Answer, Invocation


def read(line: str, **environ: str) -> Invocation:
    """Return what a command line of the component `c` in the stack `s` means."""
    split = terraform_args.split(["terraform", *line.split(), "-s", "s"], environ)
    invocation = terraform_args.require(split)
    return terraform_answers.read(invocation, split.options, environ, terraform_args.VALUED)


@pytest.mark.parametrize(
    ("line", "asked", "answer"),
    [
        (
            "output c -state x one -no-color --format=env -o f -u --flatten",
            ("output", ("-json", "-state", "x", "-no-color")),
            Answer("output", "env", "f", "one", uppercase=True, flatten=True),
        ),
        ("output c -raw one", ("output", ("-raw", "one")), None),
        # An output may be called like a format.
        (
            "output c json --format=env",
            ("output", ("-json",)),
            Answer("output", "env", name="json"),
        ),
        (
            "generate planfile c -f plan -target x",
            ("plan", ("-target", "x")),
            Answer("planfile", "json", "plan"),
        ),
        (
            "plan-diff c --orig a -var x=y",
            ("plan", ("-var", "x=y")),
            Answer("plan-diff", original="a"),
        ),
        ("plan-diff c --orig=a --new=b", ("show", ()), Answer("plan-diff", original="a", new="b")),
        ("plan c -out x", ("plan", ("-out", "x")), None),
    ],
)
def test_what_is_asked_and_what_becomes_of_it(
    line: str, asked: tuple[str, tuple[str, ...]], answer: Answer | None
) -> None:
    found = read(line)
    assert ((found.subcommand, found.arguments), found.answer) == (asked, answer)
    # A file of the answer is none of the run.
    assert (found.words, found.file) == ((), None)


def test_variables_are_the_flags_of_output() -> None:
    named = {"FORMAT": "github", "UPPERCASE": "true", "FLATTEN": "1", "FILE": "f"}
    environ = {f"ATMOS_TERRAFORM_OUTPUT_{key}": value for key, value in named.items()}
    found = read("output c", **environ).answer
    assert found == Answer("output", "github", "f", uppercase=True, flatten=True)
    assert read("output c -json", **environ).answer is None
    assert read("plan c", **environ).answer is None
    environ.pop("ATMOS_TERRAFORM_OUTPUT_FILE")
    assert read("output c", **environ, GITHUB_OUTPUT="g").answer == found._replace(file="g")


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("output c --format jsn", 'invalid argument "jsn" for the flag --format'),
        ("output c -o f", "--output-file needs --format"),
        ("output c --format json one two", "one output at most: two is one too many"),
        ("output c --format json -raw", "--format and Terraform's own -raw"),
        ("output --all --format json", "output --format is for one component"),
        ("output c --format github", "--format github writes to the file in GITHUB_OUTPUT"),
        ("generate planfile c --format hcl", 'invalid argument "hcl" for the flag --format'),
        ("generate planfile c -out=x", "-out does not go with generate planfile"),
        ("generate planfile --all", "terraform generate planfile is for one component"),
        ("plan-diff c", "plan-diff needs --orig"),
        ("plan-diff c --orig a -out x", "-out does not go with plan-diff"),
        ("plan-diff c --orig a --new b -destroy", "with --new no plan is made"),
        ("plan-diff --all --orig a", "terraform plan-diff is for one component"),
        ("apply c --verify-plan", "--verify-plan needs a plan to look at"),
    ],
)
def test_what_does_not_go_together_is_refused(line: str, told: str) -> None:
    with pytest.raises(UsageError) as caught:
        read(line)
    assert caught.value.message.startswith(told)
