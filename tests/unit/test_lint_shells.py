"""The lint of the shell files: it finds what bash 3.2 and fish 3.1 lack, and nothing else."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

LINT = Path(__file__).parents[2] / ".ci/lint-shells"
NEWER = [
    "echo ${x@Q}", "echo ${!x@a}", "echo ${x,,}", "echo ${x^}", "declare -A map", "local -n ref=x",
    "declare -g x=1", "mapfile -t x < y", "readarray x", "a |& b", "a &>> b", "printf '%(%s)T' -1",
    "wait -n", "echo ${x[-1]}", "if [[ -v x ]]; then :; fi", "case x in x) ;;& esac", "coproc cat",
    "exec {fd}>&1", "echo $EPOCHSECONDS", 'for i in "${list[@]}"; do :; done', "echo $'\\u00e9'",
]  # fmt: skip
KNOWN = [
    'for i in ${list[@]+"${list[@]}"}; do :; done', "echo ${!x+=}", "x+=(1)", "echo ${x[i]-}",
    "[[ ${!1@a} == *x* ]] # bash 4.4", "# mapfile is not used", "a 2>&1 | b", "export -n x=1",
    "printf -v x %s y", "echo ${x//a/b}", "[[ a =~ ^b$ ]]",
]  # fmt: skip


def _lint(path: Path, text: str) -> tuple[int, str]:
    path.write_text(f"{text}\n")
    done = subprocess.run(
        [str(LINT), str(path)], capture_output=True, text=True, timeout=60,
        env={"PATH": os.environ["PATH"]},
    )  # fmt: skip
    return done.returncode, done.stderr


def test_each_thing_that_an_old_bash_lacks_is_found(tmp_path: Path) -> None:
    code, told = _lint(tmp_path / "x.bash", "\n".join(NEWER))
    found = {int(line.split(":")[1]) for line in told.splitlines()}
    assert (code, [NEWER[n - 1] for n in range(1, len(NEWER) + 1) if n not in found]) == (1, [])


def test_what_an_old_bash_knows_is_let_pass(tmp_path: Path) -> None:
    assert _lint(tmp_path / "x.bash", "\n".join(KNOWN)) == (0, "")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("x.fish", "echo $x[2..]"),
        ("x.fish", "if true\necho\nend"),
        ("x.zsh", "if"),
    ],
)
def test_what_zsh_and_an_old_fish_cannot_read_is_found(
    tmp_path: Path, tool: object, name: str, text: str
) -> None:
    assert callable(tool)
    tool(name.partition(".")[2])
    assert _lint(tmp_path / name, text)[0] == 1
