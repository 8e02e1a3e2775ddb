"""The hook's line in shells without a prompt, or with little else: nothing printed, nothing taken."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e import interactive
from tests.e2e.ends import hang_up

# What a shell without a prompt says of itself after its start file; then what it was sent.
STATE = {
    "bash": "set +o; shopt; trap; alias; ulimit -a; umask; set -- \"$?\" \"$_\"; env -0; cat",
    "zsh": "setopt; trap; alias; umask; env -0; cat",
    "fish": "status is-interactive; bind; abbr; umask; env -0; cat",
}  # fmt: skip
SENT = "what scp or rsync\0sends\n"
# An environment in which a machine starts a shell; None takes away.
PLACES: dict[str, dict[str, str | None]] = {
    "as it is": {},
    "cron": {"TERM": None, "LANG": None, "TZ": None, "TMPDIR": None, "NO_COLOR": None},
    "no home": {"HOME": None, "TERM": None},
    "no path": {"PATH": None, "TERM": None},
    "home is read-only": {"HOME": "/proc"},
    "home is nothing": {"HOME": ""},
}


def line(cli: Cli, name: str) -> str:
    """Return the hook's line with the program's whole path."""
    return interactive.HOOK[name].replace("atmos-wrap", cli.program)


def argv(name: str, program: str, file: Path) -> list[str]:
    """Return how a shell without a prompt reads a file, then says how it is."""
    options = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["-N"]}[name]
    return [program, *options, "-c", f"source {file}; {STATE[name]}"]


def said(
    cli: Cli, name: str, program: str, file: Path, text: str, env: Mapping[str, str | None]
) -> tuple[list[str], str]:
    """Return the lines and variables that a shell says of itself, and what it wrote to stderr."""
    file.write_text(text)
    # `env` and `cat` are there without a PATH, too.
    command = argv(name, program, file)
    command[-1] = command[-1].replace("; env", "; /usr/bin/env").replace("; cat", "; /bin/cat")
    done = subprocess.run(
        command, env=cli.child_environment(env), cwd=cli.cwd, input=SENT, capture_output=True,
        text=True, timeout=60,
    )  # fmt: skip
    parts = done.stdout.replace("\0", "\n").splitlines()
    ours = [one for one in parts if not one.startswith("ATMOS_WRAP_HOOK=")]
    assert len(parts) - len(ours) == (1 if text else 0)
    assert done.stdout.endswith(SENT)
    return sorted(ours), done.stderr  # fish lists variables in any order


@pytest.mark.parametrize("name", interactive.NAMES)
@pytest.mark.parametrize("place", PLACES)
def test_without_a_prompt_the_line_does_nothing(
    cli: Cli, tmp_path: Path, tool: Callable[[str], str], name: str, place: str
) -> None:
    interactive.allowed(cli, cli.cwd)
    file = tmp_path / "start"
    program = tool(name)
    bare = said(cli, name, program, file, "", PLACES[place])

    hooked = said(cli, name, program, file, f"{line(cli, name)}\n", PLACES[place])

    assert hooked == bare


@pytest.mark.parametrize("name", interactive.NAMES)
@pytest.mark.parametrize("closed", [(0,), (1,), (2,), (0, 1, 2)])
def test_with_streams_closed_the_line_ends_well(
    cli: Cli, tmp_path: Path, tool: Callable[[str], str], name: str, closed: tuple[int, ...]
) -> None:
    file, mark = tmp_path / "start", tmp_path / "mark"
    status = "$status" if name == "fish" else "$?"
    file.write_text(f"{line(cli, name)}\necho rc-{status} >{mark}\n")
    shut = " ".join(f"{number}{'<' if not number else '>'}&-" for number in closed)
    command = argv(name, tool(name), file)[:-1]

    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {shut}', "sh", *command, f"source {file}"],
        env=cli.environment, cwd=cli.cwd, capture_output=True, text=True, timeout=60,
        stdin=subprocess.DEVNULL,
    )  # fmt: skip

    assert (done.stdout, done.stderr, mark.read_text()) == ("", "", "rc-0\n")


def test_a_file_that_was_full_says_so(cli: Cli) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [cli.program, "hook", "bash"], env=cli.environment, stdout=full,
            stderr=subprocess.PIPE, text=True, timeout=60, check=False,
        )  # fmt: skip

    assert done.returncode == 69
    assert done.stderr.startswith("error: cannot write the output: ")
    assert done.stderr.count("\n") == 1


LOGIN = {"bash": ".bash_profile", "zsh": ".zprofile", "fish": ".config/fish/config.fish"}


@pytest.mark.parametrize("name", interactive.NAMES)
@pytest.mark.parametrize("place", ["", "read-only"])
def test_a_login_shell_in_an_empty_environment(
    cli: Cli, tmp_path: Path, tool: Callable[[str], str], name: str, place: str
) -> None:
    repository = interactive.allowed(cli, cli.cwd)
    home = Path(cli.environment["HOME"])
    file = home / LOGIN[name]
    file.parent.mkdir(parents=True, exist_ok=True)
    prompt = "function fish_prompt; echo '$ '; end; set -g fish_greeting"
    quiet = {"bash": "PS1='$ '", "zsh": "PS1='$ '; unsetopt ZLE PROMPT_SP", "fish": prompt}
    file.write_text(f"{quiet[name]}\n{line(cli, name)}\n")
    cache = {"XDG_CACHE_HOME": "/proc/none"} if place else {}
    child: pexpect.spawn[str] = pexpect.spawn(
        tool(name), ["-l", "-i"], env={"HOME": str(home), **cache}, cwd="/", encoding="utf-8",
        timeout=60, dimensions=(50, 300), echo=False,
    )  # fmt: skip
    try:
        shell = interactive.Interactive(child, name, tmp_path)
        begun = shell.run("/bin/true")
        assert "atmos" not in begun
        assert "rror" not in begun
        shell.run(f"cd {repository}")
        inside = read(shell, tmp_path)
        shell.run("cd /")
        outside = read(shell, tmp_path)
    finally:
        hang_up(child)

    assert inside["AWS_PROFILE"] == "outer"
    assert "AWS_PROFILE" not in outside
    assert os.path.isfile(inside["AWS_CONFIG_FILE"])


def read(shell: interactive.Interactive, tmp_path: Path) -> dict[str, str]:
    """Return the environment of a program in a shell that may have no PATH."""
    shell.run(f"/usr/bin/env -0 > {tmp_path}/now")
    found = (tmp_path / "now").read_bytes().decode().rstrip("\0").split("\0")
    return dict(entry.partition("=")[::2] for entry in found)
