"""The options that choose several components: what they mean together, and with others."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.cli import args
from wrapper.cli.args import Flag
from wrapper.errors import UsageError, near
from wrapper.terraform.invocation import Bulk, Invocation
from wrapper.typed import TYPE_CHECKING

if TYPE_CHECKING:
    from wrapper.stacks.baseline import Against

_SELECTING = ("all", "affected", "query", "components", "tags", "labels")
_WIDENING = ("include-dependencies", "include-dependents")
_RUNNING = ("max-concurrency", "failure-mode", "log-order")
# What `--affected` compares with.
_AGAINST = ("base", "ref", "sha", "repo-path", "ssh-key", "ssh-key-password", "clone-target-ref")
FLAGS = (
    Flag("all", takes="bool"),
    Flag("affected", takes="bool"),
    Flag("max-parallel"),
    *(Flag(name, takes="bool" if name == "clone-target-ref" else "value") for name in _AGAINST),
    *(Flag(name) for name in ("query", "components", "tags", "labels", *_RUNNING)),
    *(Flag(name, takes="attached") for name in _WIDENING),
)
VARIABLES = {
    "query": "ATMOS_QUERY",
    "components": "ATMOS_COMPONENTS",
    "tags": "ATMOS_TAGS",
    "labels": "ATMOS_LABELS",
}
# Sub-commands that make sense for many; the others are about one thing in one state.
SUBCOMMANDS = (
    "apply", "deploy", "destroy", "get", "init", "output", "plan", "providers", "refresh", "show",
    "test", "validate", "workspace",
)  # fmt: skip


def read(
    given: Mapping[str, str], invocation: Invocation, environ: Mapping[str, str]
) -> tuple[Bulk | None, str]:
    """Return what is meant, None for one component, and the option that says so.

    `given` holds the options typed. A typed `--stack` without a component means all of the stack.
    Raises: UsageError. Source: reference/atmos-stacks.md 4.4.
    """
    last = dict(given)
    if invocation.component is None:
        last = {f: environ[v] for f, v in VARIABLES.items() if environ.get(v)} | last
    if "max-parallel" in last:  # our own word for it
        last.setdefault("max-concurrency", last["max-parallel"])
    asked = [name for name in _SELECTING if name in last and _is_on(name, last[name])]
    widens = [name for name in _WIDENING if name in last and _depth(name, last) != 0]
    whole_stack = "stack" in given and invocation.component is None
    if not asked and not (whole_stack and invocation.subcommand in SUBCOMMANDS):
        return (None, f"--{widens[0]}") if widens else (None, "")
    return Bulk(
        components=several(last.get("components")),
        query=last.get("query", ""),
        tags=several(last.get("tags")),
        labels=tuple(label(pair) for pair in several(last.get("labels"))),
        dependencies=_depth("include-dependencies", last),
        dependents=_depth("include-dependents", last),
        max_concurrency=_number("max-concurrency", last.get("max-concurrency", "1"), 1),
        keeps_going=_one_of("failure-mode", last, "fail-fast", "keep-going"),
        grouped=_one_of("log-order", last, "stream", "grouped"),
        affected=_against(last) if "affected" in asked else None,
    ), f"--{asked[0]}" if asked else "--stack"


def _against(given: Mapping[str, str]) -> Against:
    from wrapper.stacks.baseline import Against, check

    words = {name.replace("-", "_"): given.get(name, "") for name in _AGAINST[:-1]}
    clone = args.truth("clone-target-ref", given.get("clone-target-ref", "false"))
    found = Against(**words, clone=clone)
    check(found)
    return found


def is_asked(given: Mapping[str, str], subcommand: str) -> bool:
    """Say whether an option is there that chooses; for `generate` some mean something else."""
    others = ("components",) if subcommand == "generate" else ()
    return any(name in given for name in (*_SELECTING, *_WIDENING) if name not in others)


def check(invocation: Invocation, given: Mapping[str, str], asked: str) -> None:
    """Refuse options that do not go together.

    Raises: UsageError. Source: reference/atmos-stacks.md 4.4.
    """
    stray = next((f"--{name}" for name in _AGAINST if name in given), "")
    if stray and (invocation.bulk is None or invocation.bulk.affected is None):
        raise UsageError(f"{stray} says what --affected compares with", hint="add --affected")
    if invocation.bulk is None:
        if asked:
            raise UsageError(
                f"{asked} widens a choice of several components, and there is none",
                hint="add --components NAME, or another option that chooses",
            )
        return
    if invocation.component is not None:
        raise UsageError(
            "the component argument can't be used with the multi-component (bulk operations) flags "
            "`--affected`, `--all`, `--query`, `--components`, `--tags` and `--labels`",
            hint=f'"{invocation.component}" was taken for the component',
        )
    affected = "affected" in given and _is_on("affected", given["affected"])
    if affected and any(name in given for name in ("all", "query", "components")):
        raise UsageError(
            "the `--affected` flag can't be used with the other multi-component (bulk operations) "
            "flags `--all`, `--query` and `--components`"
        )
    if invocation.from_plan or invocation.planfile is not None:
        raise UsageError(
            "the single-component flags (`--from-plan`, `--planfile`) can't be used with the "
            "multi-component (bulk operations) flags `--affected`, `--all`, `--query`, "
            "`--components`, `--tags` and `--labels`"
        )
    if invocation.subcommand not in SUBCOMMANDS:
        raise UsageError(
            f"terraform {invocation.command} is for one component: {asked} does not go with it",
            hint="name one component and its stack",
        )


def several(text: str | None) -> tuple[str, ...]:
    """Return the items of a list by comma."""
    return tuple(item.strip() for item in (text or "").split(",") if item.strip())


def _is_on(name: str, text: str) -> bool:
    if name in ("all", "affected"):
        return args.truth(name, text)
    return bool(text.strip())


def _depth(name: str, given: Mapping[str, str]) -> int | None:
    """Return how many steps; None: any number. The option without a value means that."""
    text = given.get(name)
    if text is None or text == "false":
        return 0
    return None if text in ("", "true") else _number(name, text, 0)


def _number(name: str, text: str, least: int) -> int:
    if not text.isascii() or not text.isdecimal() or int(text) < least:
        raise UsageError(
            f'invalid argument "{text}" for the flag --{name}',
            hint=f"it takes a whole number from {least} on",
        )
    return int(text)


def _one_of(name: str, given: Mapping[str, str], usual: str, other: str) -> bool:
    """Say whether a flag has its other value. Raises: UsageError for none of the two."""
    text = given.get(name, usual)
    if text not in (usual, other):
        raise UsageError(
            f'invalid argument "{text}" for the flag --{name}',
            hint=near(text, (usual, other)) or f"it takes {usual} or {other}",
        )
    return text == other


def label(pair: str) -> tuple[str, str]:
    """Return a label's key and value. Raises: UsageError."""
    key, equals, value = pair.partition("=")
    if not equals:
        raise UsageError(f'the label "{pair}" has no value', hint="write --labels key=value")
    return key.strip(), value.strip()
