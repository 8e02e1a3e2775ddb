"""Every move in every shell under every option: the environment is as it was, but for what is ours."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import hang_up
from tests.e2e.test_hook import CONFIG, FOREIGN, LOAD, OWN, START

FAILING = ("set -eu", "set -e; trap 'true' ERR", "setopt ERR_EXIT")
# What the user has done before the hook is loaded.
OPTIONS = {
    "bash": [
        "", "set -eu", "set -o pipefail -o vi", "IFS=abc0123", "set -e; trap 'true' ERR",
        "shopt -s failglob nullglob extglob nocasematch; set -f", "PROMPT_COMMAND='true;'",
        "PROMPT_COMMAND=(true true)",
        "set -o posix; set -C; GLOBIGNORE='*'", "shopt -s extdebug compat32 xpg_echo; set -E", "shopt -u checkwinsize; set -a", "set -k",
        # Like bash-preexec: a trap for each command, and the prompt's commands in between.
        "trap 'last=$BASH_COMMAND' DEBUG; PROMPT_COMMAND='a=$?'$'\\n''unset a'; set -T",
        "readonly path name i text pin status here file old; alias cd='builtin cd' builtin='builtin ' rm='rm -i' command='command '",
        "printf() { false; }; source() { false; }; export() { false; }; unset() { false; }; test() { false; }; echo() { false; }; cd() { builtin cd \"$@\"; }; command_not_found_handle() { builtin echo never; }",
    ],
    "zsh": [
        "", "setopt NO_UNSET", "setopt KSH_ARRAYS", "setopt SH_WORD_SPLIT GLOB_SUBST NO_NOMATCH",
        "setopt ERR_EXIT PIPE_FAIL", "bindkey -v", "emulate ksh", "emulate sh",
        "setopt ALL_EXPORT WARN_CREATE_GLOBAL WARN_NESTED_VAR", "setopt CSH_NULL_GLOB NO_CLOBBER CHASE_LINKS ERR_RETURN",
        # Like oh-my-zsh: functions of its own, and a prompt that is computed.
        "autoload -Uz add-zsh-hook; at_prompt() { last=$?; }; add-zsh-hook precmd at_prompt; add-zsh-hook chpwd at_prompt; setopt PROMPT_SUBST AUTO_CD AUTO_PUSHD",
        "readonly i name file text pin old; alias cd='builtin cd' builtin='builtin ' rm='rm -i' local=false; alias -g '||'=false",
        "printf() { false; }; source() { false; }; export() { false; }; unset() { false; }; cd() { builtin cd \"$@\"; }; trap 'last=1' ZERR DEBUG; command_not_found_handler() { builtin echo never; }",
    ],
    "fish": [
        "", "set -g fish_key_bindings fish_vi_key_bindings",
        "function printf; false; end; function rm; false; end; function math; false; end; function contains; false; end; set -g i a; set -g name b",
    ],
}  # fmt: skip
# What stands before the hook on the line that loads it, and so is still there at the first prompt.
# Like powerlevel10k: the start file's output is kept back until the first prompt, and the functions
# of prompts that were there then are called by a function that stands for them.
INSTANT = (
    "exec {out}>&1 {err}>&2 >$TMPDIR/early 2>&1;"
    " seen=($precmd_functions); later() { exec >&$out 2>&$err {out}>&- {err}>&-;"
    " precmd_functions=($seen ${precmd_functions:#later}); seen=(); };"
    " precmd_functions=(later); "
)
DUMP = {
    "bash": "{ set -o; shopt -p; trap -p; declare -p IFS PS1 PS2 PS4 HISTSIZE; alias; builtin declare -F | grep -v atmos || builtin true; } > %s",
    "zsh": "{ setopt; trap; typeset -p IFS PS1 PS2 PS4 HISTSIZE; alias; typeset +f | grep -v -e atmos -e later || builtin true; bindkey; } > %s",
    "fish": "begin; functions fish_prompt printf rm math; bind; set -U; end > %s",
}  # fmt: skip


class Machine(NamedTuple):
    """What the shells of a test have in common."""

    root: Path
    repo: Path
    environment: dict[str, str]


@pytest.fixture(scope="module")
def machine(tmp_path_factory: pytest.TempPathFactory) -> Machine:
    """Two allowed repositories, one in the other, and the program in PATH."""
    root = tmp_path_factory.mktemp("moves")
    for name in ("bin", "home", "tmp"):
        (root / name).mkdir()
    # Else the first fish writes some hundred files in the background.
    (root / "home/.local/share/fish/generated_completions").mkdir(parents=True)
    environment = {
        "HOME": str(root / "home"),
        "PATH": f"{root / 'bin'}{os.pathsep}{os.defpath}",
        "TMPDIR": str(root / "tmp"),
        "LANG": "C.UTF-8",
    }
    cli = Cli(environment, root / "repo")
    (root / "bin/atmos-wrap").symlink_to(cli.program)
    for name, place in (("outer", root / "repo"), ("inner", root / "repo/nested/inner")):
        (place / "deep/er").mkdir(parents=True)
        (place / "atmos.yaml").write_text(CONFIG.format(realm=name, name=name))
        assert cli("allow", cwd=place).exit == 0
    (root / "repo/listless").mkdir(mode=0o111)
    (root / "link").symlink_to(root / "repo")
    (root / "sealed").mkdir()
    (root / "sealed/atmos.yaml").write_text("base_path: ./\n")
    (root / "sealed/atmos.yaml").chmod(0)
    return Machine(root, root / "repo", {**environment, **FOREIGN, "TERM": "xterm", "PS1": "$ "})


class Typist:
    """A real shell in a terminal into which lines are typed ahead, each to its own prompt."""

    def __init__(self, name: str, argv: list[str], machine: Machine, place: Path) -> None:
        self.name, self.place, self.batches, self.typed = name, place, 0, 0
        self.child = pexpect.spawn(
            argv[0], argv[1:], env=machine.environment, cwd="/", encoding="utf-8", timeout=60,  # type: ignore[arg-type]
            dimensions=(50, 500), echo=False,
        )  # fmt: skip
        self.child.delaybeforesend = None

    def type(self, *lines: str) -> str:
        """Type lines; return what was printed until the last has ended."""
        printed = ""
        # A terminal keeps 4,096 bytes of what is typed ahead.
        for start in range(0, len(lines), 5):
            self.batches += 1
            for line in (*lines[start : start + 5], f"builtin echo E''ND-{self.batches}-"):
                self.child.sendline(line)
            self.child.expect(rf"END-{self.batches}-\r?\n")
            printed += str(self.child.before)
        return printed

    def saved(self, count: int) -> dict[str, str]:
        """Return the environment that the step's program got."""
        found = (self.place / f"env-{count}").read_bytes().decode().rstrip("\0").split("\0")
        return dict(entry.partition("=")[::2] for entry in found if not OWN.match(entry))


Opened = Callable[..., Typist]


@pytest.fixture
def opened(machine: Machine, tool: Callable[[str], str], tmp_path: Path) -> Iterator[Opened]:
    """Return a function that starts a shell, for which permissions count even if it is root's."""
    shells: list[Typist] = []

    def start(name: str, options: str = "") -> Typist:
        argv = [tool(name), *START[name]]
        if name == "fish":  # its own prompt starts git
            argv += ["-C", f"function fish_prompt; builtin echo '$ '; end; {options}"]
        if os.geteuid() == 0:
            caps = "-dac_override,-dac_read_search"
            argv = [tool("setpriv"), "--inh-caps", caps, "--bounding-set", caps, *argv]
        shells.append(Typist(name, argv, machine, tmp_path))
        return shells[-1]

    yield start
    for one in shells:
        hang_up(one.child)


def _steps(machine: Machine, shell: str) -> list[tuple[str, str]]:
    """Return lines to type, and whose identity then holds; `` for none, `*` for whatever it was."""
    root, repo = machine.root, machine.repo
    inside = "fish --no-config -c 'cd /'" if shell == "fish" else "(cd /)"
    return [
        (f"cd {repo}", "outer"),
        ("cd deep/er", "outer"),
        ("cd ../../nested/inner/deep", "inner"),
        ("cd ../../../deep", "outer"),
        ("cd -", "inner"),
        ("cd /", ""),
        (f"cd {root}/link", "outer"),
        (f"cd {root}", ""),
        (f"pushd {repo}/nested/inner", "inner"),
        ("popd", ""),
        # fish does not go where it may not read.
        (f"cd {repo}/{'deep' if shell == 'fish' else 'listless'}", "outer"),
        (inside, "outer"),
        ("sleep 0.001 &", "outer"),
        ("wait", "outer"),
        (f"cd {repo}; cd {repo}/nested/inner; cd {root}", ""),
        # Deleted below us, renamed below us, no way to it any more, and back.
        (f"mkdir -p {repo}/gone; cd {repo}/gone", "outer"),
        ('rmdir "$PWD"', ""),
        (f"mkdir -p {repo}/old; cd {repo}/old", "outer"),
        (f"mv {repo}/old {repo}/new", ""),
        (f"cd {repo}; rmdir {repo}/new", "outer"),
        (f"cd {repo}/deep/er; chmod 0 {repo}/deep", ""),
        (f"chmod 755 {repo}/deep", "outer"),
        (f"cd {root}/sealed", ""),
        (f"cd {repo}", "outer"),
        ("cd /", ""),
    ]


MATRIX = [(name, one, "") for name, options in OPTIONS.items() for one in options]


@pytest.mark.parametrize(("shell", "options", "around"), [*MATRIX, ("zsh", "", INSTANT)])
def test_every_move_gives_back_what_was_there(
    machine: Machine, opened: Opened, tmp_path: Path, shell: str, options: str, around: str
) -> None:
    typist = opened(shell, options)
    steps = _steps(machine, shell)
    dump = DUMP[shell]
    typist.type(
        options if shell != "fish" else "true",
        f"env -0 > {tmp_path}/env-0",
        dump % (tmp_path / "before"),
    )
    typist.type(around + LOAD[shell])
    told = _typed(typist, steps)
    failing = "exit 7" if shell != "fish" else "fish --no-config -c 'exit 7'"
    if options not in (*FAILING, "setopt ERR_EXIT PIPE_FAIL"):
        told += typist.type(*_failing(failing, shell, tmp_path, machine.repo))
        assert (tmp_path / "status").read_text().split() == ["7", "1", "0", "7"]
    told += typist.type(
        f"cd {machine.repo}", "echo one two", f"env echo $_ > {tmp_path}/last", "cd /"
    )
    typist.type(dump % (tmp_path / "after"))
    before = typist.saved(0)
    for count, (line, name) in enumerate(steps, 1):
        found = typist.saved(count)
        if name:
            assert (line, found.get("AWS_PROFILE"), "AWS_ACCESS_KEY_ID" in found) == (
                line,
                name,
                False,
            )
        else:
            assert (line, found) == (line, before)
    assert (tmp_path / "after").read_text() == (tmp_path / "before").read_text()
    # bash itself loses it where a trap runs before each command.
    if shell != "fish" and "DEBUG" not in options:
        assert (tmp_path / "last").read_text() == "two\n"
    wrong = re.findall(r"never|(?:not found|unbound|parameter not set|readonly|error).*", told)
    assert wrong == []
    assert "cannot be read" in told or "Permission denied" in told, told


def _typed(typist: Typist, steps: list[tuple[str, str]]) -> str:
    lines = []
    for count, (line, _) in enumerate(steps, 1):
        lines += [line, f"env -0 > {typist.place}/env-{count}"]
    return typist.type(*lines)


def _failing(failing: str, shell: str, place: Path, repo: Path) -> list[str]:
    """Return lines after which the file `status` holds the status of a pipe and its parts."""
    shown = {"bash": "$? ${PIPESTATUS[*]}", "zsh": "$? $pipestatus", "fish": "$status $pipestatus"}[
        shell
    ]
    many = f"false | true | ({failing})" if shell != "fish" else f"false | true | {failing}"
    if shell == "bash":  # in which IFS may say how the words are joined
        shown = "$? ${PIPESTATUS[0]} ${PIPESTATUS[1]} ${PIPESTATUS[2]}"
    if shell == "zsh":
        shown = "$? ${pipestatus[@]}"
    return [f"cd {repo}", many, f'env echo "{shown}" > {place}/status']
