"""The hook in real shells: a `cd` changes the identity, and gives everything back."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import hang_up

CONFIG = """\
base_path: ./
auth:
  realm: {realm}
  identities:
    {name}:
      kind: aws/user
      default: true
      credentials: {{access_key_id: !env LAB_KEY, secret_access_key: !env LAB_SECRET, region: eu-west-1}}
    other:
      kind: aws/user
      credentials: {{access_key_id: !env LAB_KEY, secret_access_key: !env LAB_SECRET}}
"""
# What a shell has from elsewhere; all of it must be there again after leaving.
FOREIGN = {
    "AWS_ACCESS_KEY_ID": "foreign",
    "AWS_SECRET_ACCESS_KEY": "it's $(touch x) `touch y` \\ \"",
    "AWS_PROFILE": "foreign profile",
    "AWS_CONTAINER_CREDENTIALS_FULL_URI": "http://127.0.0.1:1/",
    "ODD": "two\nlines",
}
START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i"],
}
LOAD = {
    "bash": 'eval "$(atmos-wrap hook bash)"',
    "zsh": 'eval "$(atmos-wrap hook zsh)"',
    "fish": "atmos-wrap hook fish | source",
}
# What the hook owns; and what a shell itself changes as it goes.
OWN = re.compile(r"^(ATMOS_WRAP_|PWD=|OLDPWD=|_=|SHLVL=)")


class Shell:
    """A real shell in a terminal, with the hook loaded; each command is waited for."""

    def __init__(self, name: str, program: str, cli: Cli, tmp: Path, argv: list[str]) -> None:
        self.name, self.tmp, self.count = name, tmp, 0
        environment = {**cli.environment, **FOREIGN, "TERM": "xterm", "PS1": "$ "}
        self.child = pexpect.spawn(
            argv[0], argv[1:], env=environment, cwd=str(tmp), encoding="utf-8", timeout=60,
            dimensions=(50, 300), echo=False,
        )  # fmt: skip
        self.program = program

    def run(self, *lines: str) -> str:
        """Type lines and return what was printed until the prompt after the last one was there."""
        printed = ""
        for line in lines:
            self.count += 1
            mark = self.tmp / f"mark-{self.count}"
            self.child.sendline(line)
            # The next line is only read after the prompt's hook has run; what is typed is echoed.
            self.child.sendline(f"echo done > {mark}; echo E''ND-{self.count}-")
            self.child.expect(rf"END-{self.count}-\r?\n")
            printed += str(self.child.before)
            assert mark.read_text() == "done\n"
        return printed

    def environment(self) -> dict[str, str]:
        """Return the whole environment that a program gets now."""
        self.count += 1
        path = self.tmp / f"env-{self.count}"
        self.run(f"env -0 > {path}")
        found = path.read_bytes().decode().rstrip("\0").split("\0")
        return dict(entry.partition("=")[::2] for entry in found if not OWN.match(entry))


Open = Callable[..., Shell]


@pytest.fixture(params=list(START))
def shell_name(request: pytest.FixtureRequest) -> str:
    """Return each shell in turn."""
    return str(request.param)


@pytest.fixture
def repositories(cli: Cli, tmp_path: Path) -> Path:
    """Two repositories, one of them nested, allowed; the program in PATH."""
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    (binaries / "atmos-wrap").symlink_to(cli.program)
    for name, place in (("outer", cli.cwd), ("inner", cli.cwd / "nested/inner")):
        (place / "deep/er").mkdir(parents=True)
        (place / "atmos.yaml").write_text(CONFIG.format(realm=name, name=name))
        assert cli("allow", cwd=place).exit == 0
    return cli.cwd


@pytest.fixture
def opened(
    cli: Cli, repositories: Path, shell_name: str, tool: Callable[[str], str], tmp_path: Path
) -> Iterator[Open]:
    """Return a function that opens a shell with options set before the hook is loaded."""
    shells: list[Shell] = []

    def start(options: str = "", before: tuple[str, ...] = (), load: bool = True) -> Shell:
        program = tool(shell_name)
        argv = [*before, program, *START[shell_name]]
        if shell_name == "fish":  # its own prompt starts git
            argv += ["-C", f"function fish_prompt; echo '$ '; end; {options}"]
        made = Shell(shell_name, program, cli, tmp_path, argv)
        shells.append(made)
        typed = "" if shell_name == "fish" else options
        made.run(*filter(None, (typed, LOAD[shell_name] if load else "")))
        return made

    yield start
    for one in shells:
        hang_up(one.child)


def test_a_value_that_the_user_sets_inside_stays(opened: Open, repositories: Path) -> None:
    shell = opened()
    shell.run(f"cd {repositories}")
    setting = "set -gx AWS_REGION mine" if shell.name == "fish" else "export AWS_REGION=mine"
    shell.run(setting, "cd /")
    found = shell.environment()
    assert (found["AWS_REGION"], found["AWS_PROFILE"]) == ("mine", "foreign profile")


def test_editing_the_configuration_is_seen_at_the_next_prompt(
    opened: Open, repositories: Path
) -> None:
    shell = opened()
    shell.run(f"cd {repositories}/deep")
    path = repositories / "atmos.yaml"
    path.write_text(path.read_text().replace("outer:", "renamed:"))
    printed = shell.run("true")
    assert "has changed since you allowed it" in printed
    assert shell.environment()["AWS_PROFILE"] == "foreign profile"
    shell.run("atmos-wrap allow > allowed.txt", "true")
    assert shell.environment()["AWS_PROFILE"] == "renamed"


def test_an_older_file_put_in_the_place_of_the_configuration_is_seen(
    opened: Open, repositories: Path
) -> None:
    path = repositories / "atmos.yaml"
    older = repositories.parent / "older.yaml"
    older.write_text(path.read_text().replace("outer:", "renamed:"))
    os.utime(older, (1, 1))
    shell = opened()
    shell.run(f"cd {repositories}")
    assert shell.environment()["AWS_PROFILE"] == "outer"
    os.rename(older, path)
    assert "has changed since you allowed it" in shell.run("true")


def test_a_deleted_directory_gives_back(opened: Open, repositories: Path) -> None:
    shell = opened()
    before = shell.environment()
    gone = repositories / "deep/gone"
    gone.mkdir()
    shell.run(f"cd {gone}")
    assert shell.environment()["AWS_PROFILE"] == "outer"
    gone.rmdir()
    shell.run("true")
    assert shell.environment() == before
    shell.run(f"cd {repositories}")
    assert shell.environment()["AWS_PROFILE"] == "outer"


def test_a_shell_inside_takes_over_and_gives_back(opened: Open, repositories: Path) -> None:
    shell = opened()
    shell.run(f"cd {repositories}")
    shell.child.sendline(" ".join(["exec", shell.program, *START[shell.name]]))
    shell.run(LOAD[shell.name])
    assert shell.environment()["AWS_PROFILE"] == "outer"
    shell.run("cd /")
    found = shell.environment()
    assert found["AWS_PROFILE"] == "foreign profile"
    # Old values of secrets are not handed on.
    assert "AWS_SECRET_ACCESS_KEY" not in found


def test_a_forged_state_is_no_code_and_sets_no_other_variable(
    opened: Open, repositories: Path, cli: Cli
) -> None:
    shell = opened(load=False)
    forged = "1|1|PATH|=/evil|=/evil|AWS_PROFILE|=foreign profile|=$(touch%20owned)`touch owned`|x[$(touch owned)]|=a|=b"
    quoted = f"'{forged}'"
    line = f"ATMOS_WRAP_STATE={quoted}"
    shell.run(f"set -gx ATMOS_WRAP_STATE {quoted}" if shell.name == "fish" else f"export {line}")
    shell.run(LOAD[shell.name], f"cd {repositories}", "cd /")
    found = shell.environment()
    assert found["PATH"] == cli.environment["PATH"]
    assert found["AWS_PROFILE"] == "$(touch owned)`touch owned`"
    assert not list(repositories.rglob("owned"))


def test_the_status_of_the_last_command_is_kept(opened: Open, repositories: Path) -> None:
    shell = opened()
    shell.run(f"cd {repositories}")
    variable = "$status" if shell.name == "fish" else "$?"
    path = shell.tmp / "status"
    failing = "fish -c 'exit 7'" if shell.name == "fish" else "(exit 7)"
    shell.child.sendline(failing)
    shell.run(f"echo {variable} > {path}")
    assert path.read_text() == "7\n"


def test_use_deactivate_and_reload(opened: Open, repositories: Path) -> None:
    shell = opened()
    before = shell.environment()
    shell.run(f"cd {repositories}")
    shell.run("atmos-wrap use other")
    assert shell.environment()["AWS_PROFILE"] == "other"
    # A pin is for one repository.
    shell.run(f"cd {repositories}/nested/inner")
    assert shell.environment()["AWS_PROFILE"] == "inner"
    shell.run(f"cd {repositories}", "atmos-wrap use -")
    assert shell.environment()["AWS_PROFILE"] == "outer"
    shell.run("atmos-wrap deactivate")
    assert shell.environment() == before
    shell.run("atmos-wrap reload")
    assert shell.environment()["AWS_PROFILE"] == "outer"
    assert "neither a stack nor an identity" in shell.run("atmos-wrap use nobody")


def test_nothing_happens_before_consent(opened: Open, repositories: Path, cli: Cli) -> None:
    shell = opened()
    before = shell.environment()
    assert cli("revoke", cwd=repositories).exit == 0
    printed = shell.run(f"cd {repositories}", "true", "cd deep")
    assert printed.count("is not allowed yet") == 1
    assert shell.environment() == before


def test_no_process_is_started_where_nothing_is_new(
    opened: Open, repositories: Path, tool: Callable[[str], str], tmp_path: Path
) -> None:
    """An unchanged prompt and a known directory are builtins only, counted by the kernel."""
    log = tmp_path / "processes"
    strace = [
        tool("strace"),
        "-f",
        "--seccomp-bpf",
        "-o",
        str(log),
        "-e",
        "trace=clone,clone3,fork,vfork,execve",
    ]
    shell = opened(before=tuple(strace))
    shell.run(f"cd {repositories}", "cd deep", f"cd {repositories}", "cd /")
    began = len(log.read_text().splitlines())
    shell.run(f"cd {repositories}", "true", "cd deep", "true", "cd /", "true")
    started = log.read_text().splitlines()[began:]
    begun = [line for line in started if re.search(r"(fork|clone3?|execve)\(", line)]
    assert [line for line in begun if "CLONE_THREAD" not in line] == []


def test_the_hook_says_that_it_is_at_work(opened: Open, repositories: Path, cli: Cli) -> None:
    shell = opened()
    printed = shell.run("atmos-wrap hook --check")
    assert re.search(rf"shell +{shell.name}\r?\n.*at work in this shell", printed)
    shell.run("atmos-wrap deactivate")
