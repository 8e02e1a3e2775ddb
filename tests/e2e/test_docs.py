"""The documentation is true: its commands run, its links lead somewhere, its lists are complete."""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import docs_blocks, docs_fixtures
from wrapper import env
from wrapper.auth import kinds
from wrapper.cli import args

CLONE = docs_fixtures.CLONE
PAGES = sorted(
    str(path.relative_to(CLONE))
    for path in (CLONE / "README.md", CLONE / "CHANGELOG.md", *(CLONE / "docs").rglob("*.md"))
)
BLOCKS = [
    block
    for page in PAGES
    for block in docs_blocks.blocks(page, (CLONE / page).read_text(encoding="utf-8"))
]
SCENARIOS = [
    scenario
    for page in PAGES
    for scenario in docs_blocks.scenarios([b for b in BLOCKS if b.page == page])
]
# Blocks that cannot be run: what the reader does with his own keys, and what another gate runs.
NEVER = 6


@pytest.mark.parametrize("scenario", SCENARIOS, ids=lambda s: s.name)
def test_commands_of_a_page_do_what_it_shows(
    scenario: docs_blocks.Scenario,
    tmp_path: Path,
    environment: dict[str, str],
    cli: Cli,
    terraform: str,
    tool: Callable[[str], str],
) -> None:
    binaries = Path(terraform).parent
    (binaries / "atmos-wrap").symlink_to(cli.program)
    (binaries / "aws").symlink_to(Path(cli.program).with_name("aws"))
    tool("bash")
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    with docs_fixtures.prepared(scenario.fixture, cli.cwd, environment):
        outcomes = docs_blocks.run(scenario, cli.cwd, scratch, environment)
    told = [_fault(o, later) for o, later in zip(outcomes, [*outcomes[1:], None], strict=True)]
    assert [fault for fault in told if fault] == []


def _fault(outcome: docs_blocks.Outcome, later: docs_blocks.Outcome | None) -> str:
    """Return what is wrong with one command's outcome; one that fails must be followed by `echo $?`."""
    where = f"{outcome.block.page}:{outcome.block.line}: {outcome.command.text}"
    if outcome.exit and (later is None or later.command.text != "echo $?"):
        return f"{where}: exit {outcome.exit}\n{outcome.output}"
    if not docs_blocks.matches(outcome.command.shown, outcome.output):
        return f"{where}: shown:\n{outcome.command.shown}\nbut it printed:\n{outcome.output}"
    return ""


def test_every_block_of_commands_is_run_or_says_why_not() -> None:
    run = {id(block) for scenario in SCENARIOS for block in scenario.blocks}
    left = [b for b in BLOCKS if b.language in docs_blocks.RUN and id(b) not in run]
    assert [f"{b.page}:{b.line}" for b in left if b.attributes.get("run") != "never"] == []
    assert [f"{b.page}:{b.line}" for b in left if not b.attributes.get("reason")] == []
    assert len(left) <= NEVER


def test_every_block_has_a_language() -> None:
    assert [f"{b.page}:{b.line}" for b in BLOCKS if not b.language] == []


def test_pages_end_their_blocks() -> None:
    fences = {p: (CLONE / p).read_text(encoding="utf-8").count("\n```") for p in PAGES}
    assert [page for page, count in fences.items() if count % 2] == []


def test_the_tutorial_ends_with_the_example() -> None:
    written = {
        b.attributes["file"]: b.text
        for b in BLOCKS
        if b.page == "docs/tutorial.md" and "file" in b.attributes
    }
    example = CLONE / "docs" / "examples" / "cloud"
    files = [path for path in example.rglob("*") if path.suffix in (".yaml", ".tf")]
    assert written == {str(p.relative_to(example)): p.read_text(encoding="utf-8") for p in files}


_LINK = re.compile(r"\]\(([^)\s]+)\)")


@pytest.mark.parametrize("page", PAGES)
def test_relative_links_lead_somewhere(page: str) -> None:
    text = re.sub(r"```.*?\n```", "", (CLONE / page).read_text(encoding="utf-8"), flags=re.S)
    broken = []
    for link in _LINK.findall(text):
        if "://" in link:
            continue
        path, _, anchor = link.partition("#")
        target = (CLONE / page).parent / path if path else CLONE / page
        if not target.exists() or (anchor and anchor not in _anchors(target)):
            broken.append(link)
    assert broken == []


def _anchors(page: Path) -> list[str]:
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), flags=re.M)
    return [re.sub(r"[^\w\- ]", "", t.lower()).replace(" ", "-") for t in titles]


def test_every_page_is_reached_from_the_readme() -> None:
    reached: set[Path] = set()
    todo = [CLONE / "README.md"]
    while todo:
        page = todo.pop()
        if page in reached:
            continue
        reached.add(page)
        for link in _LINK.findall(page.read_text(encoding="utf-8")):
            target = Path(os.path.normpath(page.parent / link.partition("#")[0]))
            if target.suffix == ".md" and target.exists():
                todo.append(target)
    pages = {CLONE / page for page in PAGES if page != "CHANGELOG.md"}
    assert sorted(str(p.relative_to(CLONE)) for p in pages - reached) == []


# ---- the reference against the program -----------------------------------------------------------

_FLAG = re.compile(r"(?<![\w-])--[a-z][a-z-]*")
# Section of commands.md -> the words whose help it must agree with.
_COMMANDS = {
    "terraform": ("terraform",),
    "exec": ("exec",),
    **{
        name: tuple(name.split())
        for name in (
            "auth login", "auth logout", "auth whoami", "auth list", "auth env", "auth shell", "auth validate",
            "auth console", "auth user",
            "describe component", "describe config", "describe stacks",
            "list stacks", "list components", "list instances", "list identities", "list profiles",
            "list values", "list vars", "list settings", "list metadata", "describe dependents",
            "list workflows", "list vendor", "list affected",
            "describe affected",
            "describe schema",
            "profile list", "profile show", "validate stacks", "version", "why", "workflow",
            "allow", "deny", "fetch", "revoke", "trust list", "trust prune",
        )
    },
}  # fmt: skip


def _sections() -> dict[str, str]:
    """Return the sections of the reference of commands: title -> text."""
    text = (CLONE / "docs/reference/commands.md").read_text(encoding="utf-8")
    parts = re.split(r"^#{2,3} (.*)$", text, flags=re.M)
    return {title.strip("`"): body for title, body in zip(parts[1::2], parts[2::2], strict=True)}


def _rows(section: str) -> set[str]:
    """Return the flags in the first column of a section's tables."""
    cells = [line.split("|")[1] for line in section.splitlines() if line.startswith("|")]
    return {flag for cell in cells for flag in _FLAG.findall(cell)}


@pytest.mark.parametrize("title", _COMMANDS)
def test_flags_of_a_command_are_those_of_its_help(title: str, cli: Cli) -> None:
    given = cli(*_COMMANDS[title], "--help", env={"COLUMNS": "200"}).stdout
    assert _rows(_sections()[title]) == set(_FLAG.findall(given)) - {"--help"}


def test_flags_of_every_command_are_those_that_are_taken_out() -> None:
    documented = _rows(_sections()["Flags of every command"])
    assert documented == {f"--{flag.name}" for flag in args.GLOBAL_FLAGS} | {"--help"}


def test_every_command_of_the_program_has_a_section(cli: Cli) -> None:
    found = set()
    for group in ("auth", "describe", "list", "profile", "trust", "validate"):
        told = cli(group, "--help").stdout.partition("Commands:\n")[2]
        found |= {f"{group} {name}" for name in re.findall(r"^  (\w+) ", told, flags=re.M)}
    alone = {"terraform", "exec", "version", "why", "workflow", "allow", "deny", "fetch", "revoke"}
    assert found | alone == set(_COMMANDS)


def test_kinds_that_can_be_used_are_those_of_the_program() -> None:
    text = (CLONE / "docs/reference/auth.md").read_text(encoding="utf-8")
    rows = [line.split("|")[1:-1] for line in text.splitlines() if line.startswith("|")]
    usable = [row[0] for row in rows if row[-1].strip() in ("works", "being built")]
    assert sorted(re.findall(r"`([a-z/-]+)`", " ".join(usable))) == sorted(kinds.KINDS)


@pytest.mark.parametrize("cloud", sorted(env.SCRUB))
def test_tables_of_removed_variables_are_those_of_the_program(cloud: str) -> None:
    text = (CLONE / "docs/reference/environment.md").read_text(encoding="utf-8")
    section = text.partition(f"<!-- removed: {cloud} -->")[2].partition("<!-- end -->")[0]
    words = re.findall(r"`([A-Z0-9_]+\*?)`", section)
    table = env.SCRUB[cloud]
    assert sorted(words) == sorted([*table.names, *(f"{p}*" for p in table.prefixes)])
