"""What a shell with the hook remembers and believes: its history, a session's end, foreign states."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.test_hook import LOAD
from tests.e2e.test_hook_moves import Machine, Opened, machine, opened

__all__ = ["machine", "opened"]  # fixtures
SHELLS = pytest.mark.parametrize("shell", list(LOAD))
MOCK = """\
auth:
  realm: ends
  providers: {pretend: {kind: mock/aws}}
  identities: {dev: {kind: mock/aws, via: {provider: pretend}, default: true}}
"""
HISTORY = {
    "bash": ("HISTFILE=; set -o history; HISTCONTROL=; history -c", "builtin history > {}"),
    "zsh": ("HISTSIZE=100; fc -p", "fc -l 1 > {}"),
    "fish": ("set -g fish_history ours; history clear-session", "history --reverse > {}"),
}


@SHELLS
def test_history_holds_what_was_typed_and_nothing_else(
    machine: Machine, opened: Opened, shell: str
) -> None:
    typist = opened(shell)
    empty, told = HISTORY[shell]
    typist.type(LOAD[shell], empty)
    typist.type(f"cd {machine.repo}", "cd nested/inner", "atmos-wrap reload", "cd /", "true", "cd")
    typist.type(told.format(typist.place / "history"))
    found = (typist.place / "history").read_text()
    assert "cd nested/inner" in found
    # Inside of our functions everything has this name.
    assert "_atmos_wrap" not in found
    typed = [line for line in found.splitlines() if line.strip()]
    known = ("cd", "true", "builtin echo E", "atmos-wrap reload", "history", "builtin history", "fc",
             LOAD[shell], *empty.split("; "))  # fmt: skip
    words = [line.strip().lstrip("0123456789*").strip() for line in typed]
    assert [word for word in words if not word.startswith(known)] == []


@pytest.fixture
def ending(machine: Machine) -> Iterator[Path]:
    """An allowed repository whose identity is signed in."""
    place = machine.root / "ending"
    place.mkdir(exist_ok=True)
    (place / "atmos.yaml").write_text(MOCK)
    cli = Cli({k: machine.environment[k] for k in ("HOME", "PATH", "LANG")}, place)
    assert cli("allow").exit == 0
    assert cli("auth", "login", "-i", "dev").exit == 0
    yield place
    assert cli("auth", "logout", "dev").exit == 0


@SHELLS
def test_the_end_of_a_session_is_seen_and_so_is_the_next_one(
    machine: Machine, opened: Opened, ending: Path, shell: str
) -> None:
    typist = opened(shell)

    def shown() -> str:
        typist.type(f'builtin echo "$ATMOS_WRAP_PROMPT" > {typist.place}/shown')
        return (typist.place / "shown").read_text().strip()

    typist.type(LOAD[shell], f"cd {ending}")
    assert shown() == "dev"
    # Time goes by: the file says so, without a sign of a change.
    home = machine.root / "home"
    for session in home.rglob("sessions/*.json"):
        before = session.stat()
        kept = json.loads(session.read_text())
        session.write_text(json.dumps({**kept, "expires": 1_700_000_000}))
        os.utime(session, ns=(before.st_atime_ns, before.st_mtime_ns))
    if shell == "fish":  # it has no clock: the end is the time of a file
        (until,) = home.rglob("ending/=env-*-until")
        assert until.stat().st_mtime > 1_700_000_000
        os.utime(until, (1_700_000_000, 1_700_000_000))
        typist.type("true")
    else:
        (text,) = home.rglob(f"{shell}/**/ending/=env")
        before = text.stat()
        text.write_text(text.read_text().replace("4102444799", "1700000000"))
        os.utime(text, ns=(before.st_atime_ns, before.st_mtime_ns))
        typist.type("_atmos_wrap_new_expires=1700000000")
    assert shown() == "dev?"
    typist.type("atmos-wrap auth login -i dev >/dev/null 2>&1")
    assert shown() == "dev"


FILES = {"bash": ".bash_profile", "zsh": ".zprofile", "fish": ".config/fish/config.fish"}


@SHELLS
def test_a_state_of_another_machine_is_not_believed_where_nobody_types(
    machine: Machine, tool: Callable[[str], str], tmp_path: Path, shell: str
) -> None:
    """As `ssh host command` with SendEnv: a login shell without a terminal reads its start files."""
    start = tmp_path / FILES[shell]
    start.parent.mkdir(parents=True, exist_ok=True)
    # /etc/profile may set another PATH.
    start.write_text(LOAD[shell].replace("atmos-wrap", f"{machine.root}/bin/atmos-wrap") + "\n")
    foreign = {
        "ATMOS_WRAP_STATE": f"1|$(touch {tmp_path}/ran)|AWS_PROFILE|=x%24(touch ran)|=gone|PATH|=x|",
        "ATMOS_WRAP_HOOK": f"{shell}:1:`touch {tmp_path}/ran`",
        "AWS_PROFILE": "mine",
        "HOME": str(tmp_path), "ZDOTDIR": str(tmp_path), "PATH": machine.environment["PATH"],
    }  # fmt: skip
    done = subprocess.run(
        [tool(shell), "-lc", "builtin echo $AWS_PROFILE; command -v cat"],
        env=foreign, cwd=machine.repo, stdin=subprocess.DEVNULL, capture_output=True, text=True,
        timeout=60, check=True,
    )  # fmt: skip
    assert done.stdout.splitlines()[0] == "mine"
    assert done.stdout.splitlines()[1].endswith("/cat")
    assert done.stderr == ""
    assert not (tmp_path / "ran").exists()
