"""Lines of the pages for start files, dotfiles and VS Code, in shells that are started with them."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e import docs_blocks, docs_fixtures, interactive
from tests.e2e.ends import hang_up

CLONE = Path(__file__).resolve().parents[2]


@pytest.fixture
def repository(cli: Cli) -> Path:
    """An allowed repository; the program in PATH."""
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    (binaries / "atmos-wrap").symlink_to(cli.program)
    return interactive.allowed(cli, cli.cwd)


def text(page: str) -> str:
    """Return a how-to page."""
    return (CLONE / f"docs/how-to/{page}.md").read_text(encoding="utf-8")


def blocks(page: str, language: str) -> list[docs_blocks.Block]:
    """Return the blocks of a how-to page in a language."""
    return [b for b in docs_blocks.blocks(page, text(page)) if b.language == language]


@pytest.mark.parametrize("name", interactive.NAMES)
def test_the_line_of_the_page_is_all_that_a_shell_needs(
    cli: Cli, repository: Path, name: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    row = next(line for line in text("shell").splitlines() if line.startswith(f"| {name}"))
    line = re.findall(r"`([^`]+)`", row)[1].replace("\\|", "|")
    prompts = "\n".join(block.text for block in blocks("prompts", name))
    start_file = f"{line}\n{prompts}"
    with interactive.started(name, tool(name), cli.environment, tmp_path, start_file) as shell:
        shell.run(f"cd {repository}")
        assert shell.clouds()["AWS_PROFILE"] == "outer"
        assert "(outer?) " in shell.run("true")
        later = int(time.time()) + 5430
        given = "set -gx ATMOS_WRAP_EXPIRES " if name == "fish" else "export ATMOS_WRAP_EXPIRES="
        shell.run(f"{given}{later}")
        assert "90 min (outer?) " in shell.run("true")


@pytest.mark.parametrize("name", interactive.NAMES)
@pytest.mark.parametrize("installed", [True, False])
def test_the_line_for_dotfiles_does_nothing_without_the_program(
    cli: Cli, repository: Path, name: str, installed: bool, tool: Callable[[str], str],
    tmp_path: Path,
) -> None:  # fmt: skip
    line = blocks("teams", name)[0].text
    if not installed:
        Path(cli.environment["PATH"].partition(os.pathsep)[0], "atmos-wrap").unlink()
    start_file = f"{line}\necho loaded-$status-"
    if name != "fish":
        start_file = f"set -eu\n{line}\necho loaded-$?-\nset +eu"
    with interactive.started(name, tool(name), cli.environment, tmp_path, start_file) as shell:
        assert "loaded-0-" in shell.begun
        assert "not found" not in shell.begun
        shell.run(f"cd {repository}")
        assert shell.clouds().get("AWS_PROFILE") == ("outer" if installed else None)


# ---- VS Code --------------------------------------------------------------------------------------

# As the shell integration of VS Code starts bash: an init file of its own that reads the user's,
# then takes PROMPT_COMMAND over, calls what was in it, and traps DEBUG.
INTEGRATION = """\
. ~/.bashrc
editor_before=("${PROMPT_COMMAND[@]}")
editor_prompt() {
    local editor_status=$? each
    for each in "${editor_before[@]}"; do (exit "$editor_status"); eval "$each"; done
}
unset PROMPT_COMMAND
PROMPT_COMMAND=editor_prompt
trap 'editor_last=$BASH_COMMAND' DEBUG
"""


def test_a_terminal_of_vs_code_has_the_hook(
    cli: Cli, repository: Path, home: Path, tool: Callable[[str], str], tmp_path: Path
) -> None:
    (home / ".bashrc").write_text(f"PS1='$ '\n{interactive.HOOK['bash']}\n")
    # VS Code was started by `code .` in a shell that has the hook: its variables are inherited.
    bash = tool("bash")
    with interactive.started(
        "bash", bash, cli.environment, tmp_path, interactive.HOOK["bash"]
    ) as outer:
        outer.run(f"cd {repository}")
        inherited = outer.environment()
    init = tmp_path / "integration.sh"
    init.write_text(INTEGRATION)
    child: pexpect.spawn[str] = pexpect.spawn(
        bash, ["--init-file", str(init)], env={**inherited, "TERM_PROGRAM": "vscode"},
        cwd=str(repository), encoding="utf-8", timeout=60, dimensions=(50, 300), echo=False,
    )  # fmt: skip
    try:
        shell = interactive.Interactive(child, "bash", tmp_path)
        shell.run("true")
        assert shell.clouds()["AWS_PROFILE"] == "outer"
        shell.run("cd /")
        assert "AWS_PROFILE" not in shell.clouds()
        shell.run(f"cd {repository}/deep")
        assert shell.clouds()["AWS_PROFILE"] == "outer"
    finally:
        hang_up(child)


def test_profile_and_task_for_vs_code_do_what_they_say(cli: Cli, repository: Path) -> None:
    settings, tasks = (json.loads(block.text) for block in blocks("vs-code", "json"))
    with docs_fixtures.prepared("shop", cli.cwd, cli.environment):
        (task,) = tasks["tasks"]
        assert task["command"] == "atmos-wrap"
        assert cli(*task["args"]).stdout == "dev-deploy\n"
        profile = settings["terminal.integrated.profiles.linux"]["audit"]
        child: pexpect.spawn[str] = pexpect.spawn(
            profile["path"], profile["args"], env={**cli.environment, "SHELL": "/bin/sh"},
            cwd=str(cli.cwd), encoding="utf-8", timeout=60,
        )  # fmt: skip
        try:
            child.sendline("echo IS-$AWS_PROFILE-")
            child.expect_exact("IS-audit-")
        finally:
            hang_up(child)
