"""The hook among others' hooks, in shells in shells, and where somebody wants to mislead it."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.test_hook import FOREIGN, LOAD, START
from tests.e2e.test_hook_moves import Machine, Opened, Typist, machine, opened
from tests.fakes.damage import NOBODY

__all__ = ["machine", "opened"]  # fixtures
SHELLS = pytest.mark.parametrize("shell", list(START))
# Like starship: a command of the prompt that wants the status of what was typed, and asks nobody
# else whether they are there.
PROMPT = {
    "bash": 'starry() { seen=$?; builtin echo $seen >> $TMPDIR/seen; }; starry_before=${PROMPT_COMMAND-}; both() { starry; builtin eval "$starry_before"; }; PROMPT_COMMAND=both',
    "zsh": "starry() { seen=$?; builtin echo $seen >> $TMPDIR/seen; }; precmd_functions+=(starry)",
    "fish": "function starry --on-event fish_prompt; set -g seen $status; builtin echo $seen >> $TMPDIR/seen; end",
}
OTHERS = {
    "bash": ['eval "$(direnv hook bash)"', 'eval "$(mise activate bash)"'],
    "zsh": ['eval "$(direnv hook zsh)"', 'eval "$(mise activate zsh)"'],
    "fish": ["direnv hook fish | source", "mise activate fish | source"],
}
SET = {"fish": "set -gx {} {}"}


def _value(typist: Typist, name: str) -> str:
    """Return what a program gets for a variable in this shell, `(none)` if nothing."""
    typist.type(f"env > {typist.place}/now")
    lines = (typist.place / "now").read_text().splitlines()
    return next((one.partition("=")[2] for one in lines if one.startswith(f"{name}=")), "(none)")


@SHELLS
@pytest.mark.parametrize("ours", [0, 1, 2])
def test_direnv_mise_and_a_prompt_work_before_and_after_ours(
    machine: Machine, opened: Opened, tool: Callable[[str], str], shell: str, ours: int
) -> None:
    for name in ("direnv", "mise"):
        link = machine.root / "bin" / name
        if not link.exists():
            link.symlink_to(tool(name))
    both = machine.repo / "both"
    both.mkdir(exist_ok=True)
    (both / ".envrc").write_text("export OF_DIRENV=yes\n")
    (both / "mise.toml").write_text("[env]\nOF_MISE = 'yes'\n")
    environment = {**machine.environment, "MISE_TRUSTED_CONFIG_PATHS": str(both)}
    direnv = str(machine.root / "bin/direnv")
    subprocess.run([direnv, "allow"], cwd=both, env=environment, check=True, timeout=60)
    seen = machine.root / "tmp/seen"
    seen.unlink(missing_ok=True)
    hooks = list(OTHERS[shell])
    hooks.insert(ours, LOAD[shell])
    typist = opened(shell)
    export = SET.get(shell, "export {}={}")
    typist.type(export.format("MISE_TRUSTED_CONFIG_PATHS", both), *hooks, PROMPT[shell])
    found, printed = [], ""
    for place in (both, machine.repo, machine.root, both, "/"):
        printed += typist.type(f"cd {place}")
        found.append(
            tuple(_value(typist, each) for each in ("OF_DIRENV", "OF_MISE", "AWS_PROFILE"))
        )
    here, ours_only, away = (
        ("yes", "yes", "outer"),
        ("(none)", "(none)", "outer"),
        ("(none)", "(none)", "foreign profile"),
    )
    assert found == [here, ours_only, away, here, away], printed
    typist.type("fish --no-config -c 'exit 7'" if shell == "fish" else "(exit 7)")
    assert "7" in seen.read_text().split()


def test_shells_of_other_kinds_in_one_another_take_over_and_give_back(
    machine: Machine, opened: Opened
) -> None:
    typist = opened("fish")
    typist.type(LOAD["fish"], f"cd {machine.repo}")
    for inner in ("zsh", "bash"):
        typist.child.sendline(" ".join([inner, *START[inner]]))
        typist.type(LOAD[inner], "true")
        assert _value(typist, "AWS_PROFILE") == "outer"
    typist.type(f"cd {machine.repo}/nested/inner")
    assert _value(typist, "AWS_PROFILE") == "inner"
    typist.type("cd /")
    assert _value(typist, "AWS_PROFILE") == "foreign profile"
    typist.type("exit", "true")
    assert _value(typist, "AWS_PROFILE") == "outer"
    typist.type("exit", "true", "cd /")
    assert _value(typist, "AWS_PROFILE") == "foreign profile"


@SHELLS
def test_what_was_not_exported_is_not_exported_afterwards_and_loading_twice_loses_nothing(
    machine: Machine, opened: Opened, shell: str
) -> None:
    typist = opened(shell)
    plain = "set -e AWS_REGION; set -g AWS_REGION mine" if shell == "fish" else "AWS_REGION=mine"
    typist.type(plain, LOAD[shell], f"cd {machine.repo}")
    assert _value(typist, "AWS_REGION") == "eu-west-1"
    typist.type(LOAD[shell], LOAD[shell], "cd /")
    assert _value(typist, "AWS_REGION") == "(none)"
    assert _value(typist, "AWS_ACCESS_KEY_ID") == "foreign"
    typist.type(f"builtin echo $AWS_REGION > {typist.place}/mine")
    assert (typist.place / "mine").read_text() == "mine\n"


def test_a_universal_variable_of_fish_is_hidden_and_stays(
    machine: Machine, tool: Callable[[str], str], tmp_path: Path
) -> None:
    """Universal variables are all shells' and on the disk: to take one away would be for good."""
    script = (
        f"set -Ux AWS_PROFILE all; set -Ux AWS_SESSION_TOKEN old; {LOAD['fish']}"
        f"; cd {machine.repo}; emit fish_prompt; env; cd /; emit fish_prompt; echo away; env"
        "; set -qg AWS_PROFILE; echo global $status; set -U | string match 'AWS*'"
    )
    gone = {name: value for name, value in machine.environment.items() if name not in FOREIGN}
    done = subprocess.run(
        [tool("fish"), "-c", script], env={**gone, "XDG_CONFIG_HOME": str(tmp_path)}, cwd="/",
        text=True, capture_output=True, timeout=60, check=True,
    )  # fmt: skip
    inside, _, away = done.stdout.partition("away\n")
    assert ("AWS_PROFILE=outer\n" in inside, "\nAWS_SESSION_TOKEN=\n" in inside) == (True, True)
    assert "AWS_PROFILE=all\n" in away
    assert "AWS_SESSION_TOKEN=old\n" in away
    assert "\nglobal 1\nAWS_PROFILE all\nAWS_SESSION_TOKEN old\n" in away


@pytest.mark.parametrize("shell", ["bash", "zsh"])
@pytest.mark.parametrize("line", ["readonly AWS_PROFILE", "unset AWS_REGION; readonly AWS_REGION"])
def test_a_readonly_variable_is_told_and_nothing_is_set(
    machine: Machine, opened: Opened, shell: str, line: str
) -> None:
    typist = opened(shell)
    typist.type(line, LOAD[shell], f"env -0 > {typist.place}/env-1")
    printed = typist.type(f"cd {machine.repo}", "true", "true")
    assert len(re.findall(r"readonly in this shell: nothing is set", printed)) == 1
    typist.type(f"env -0 > {typist.place}/env-2")
    assert typist.saved(2) == typist.saved(1)


@SHELLS
def test_ctrl_c_in_the_hook_ends_it_and_the_next_prompt_asks_again(
    machine: Machine, opened: Opened, shell: str, tmp_path: Path
) -> None:
    typist = opened(shell)
    typist.type(LOAD[shell], f"builtin echo $_atmos_wrap_python > {tmp_path}/real")
    real = (tmp_path / "real").read_text().strip()
    os.mkfifo(tmp_path / "waits")
    slow = tmp_path / "slow"
    slow.write_text(
        f'#!/bin/sh\nmkdir {tmp_path}/once 2>/dev/null || exec {real} "$@"\n'
        f"echo begun-asking >&2\nread line < {tmp_path}/waits\n"
    )
    slow.chmod(0o755)
    place = machine.repo / f"asked-by-{shell}"
    place.mkdir()
    typist.type(
        f"{'set -g ' if shell == 'fish' else ''}_atmos_wrap_python{' ' if shell == 'fish' else '='}{slow}"
    )
    typist.child.sendline(f"cd {place}")
    typist.child.expect("begun-asking")
    typist.child.sendintr()
    typist.child.expect(r"\$ ")
    typist.type("true")
    assert _value(typist, "AWS_PROFILE") == "outer"
    typist.type("cd /")
    assert _value(typist, "AWS_PROFILE") == "foreign profile"


@SHELLS
@pytest.mark.parametrize("kind", ["link", "owner", "directory"])
def test_a_text_that_others_could_have_put_there_is_not_read(
    machine: Machine, opened: Opened, shell: str, kind: str, tmp_path: Path
) -> None:
    """The cache may lie where others can write; what is read as code must be ours by all signs."""
    if kind != "link" and os.geteuid() != 0:
        pytest.skip("only root can give a file away")
    texts = machine.root / "home/.cache/atmos-wrap/hook"
    shutil.rmtree(texts, ignore_errors=True)
    typist = opened(shell)
    typist.type(LOAD[shell], f"cd {machine.repo}", "cd /")
    (found,) = (each for each in texts.rglob("=env") if each.parent.name == "repo")
    code = f"touch {tmp_path}/owned\n"
    if kind == "link":
        (tmp_path / "mine").write_text(code)
        found.unlink()
        found.symlink_to(tmp_path / "mine")
    else:
        found.write_text(code)
        given = found if kind == "owner" else next(texts.glob(f"*/{shell}"))
        os.chown(given, NOBODY, NOBODY)
        given.chmod(0o755)  # there is a way through, and what is in it can be read
    typist.type(f"cd {machine.repo}", "true")
    assert _value(typist, "AWS_PROFILE") == "outer"
    assert not (tmp_path / "owned").exists()
    shutil.rmtree(texts)


def test_two_panes_of_tmux_have_nothing_in_common(
    machine: Machine, tool: Callable[[str], str], tmp_path: Path
) -> None:
    start = tmp_path / "start"
    start.write_text(f"{LOAD['bash']}\n")
    tmux = [tool("tmux"), "-f", "/dev/null", "-S", str(tmp_path / "socket")]
    shell = f"{tool('bash')} --rcfile {start} -i"

    def run(*args: str) -> None:
        subprocess.run([*tmux, *args], env=machine.environment, cwd="/", check=True, timeout=60)

    def type_in(pane: int, line: str) -> None:
        run("send-keys", "-t", f"work.{pane}", line, "Enter")
        run(
            "send-keys",
            "-t",
            f"work.{pane}",
            f"tmux -S {tmp_path}/socket wait-for -S typed",
            "Enter",
        )
        run("wait-for", "typed")

    run("new-session", "-d", "-s", "work", "-x", "200", "-y", "50", "-c", "/", shell)
    try:
        run("split-window", "-t", "work", "-c", "/", shell)
        type_in(0, f"cd {machine.repo}")
        type_in(1, f"cd {machine.repo}/nested/inner")
        # A window opened now: the server's environment is not the panes'.
        run("split-window", "-t", "work", "-c", "/", shell)
        for pane in (0, 1, 2):
            type_in(pane, f"echo $AWS_PROFILE > {tmp_path}/pane-{pane}")
        found = [(tmp_path / f"pane-{pane}").read_text() for pane in (0, 1, 2)]
        assert found == ["outer\n", "inner\n", "foreign profile\n"]
    finally:
        run("kill-server")


def test_a_shell_of_another_user_with_this_environment_leaves_all_as_it_is(
    machine: Machine, tool: Callable[[str], str]
) -> None:
    """What `sudo -E` does: another user's shell with our HOME, and our variables of the hook."""
    if os.geteuid() != 0:
        pytest.skip("only root can become another user")
    home = machine.root / "home"
    owned = [home, *home.rglob("*")]
    for each in owned:
        os.chown(each, NOBODY, NOBODY, follow_symlinks=False)
    try:
        script = f"{LOAD['bash']}\ncd {machine.repo}\ntrue\necho ${{AWS_PROFILE-}}\n"
        done = subprocess.run(
            [tool("bash"), "--norc", "--noprofile", "-i"],
            input=script, env=machine.environment, text=True, capture_output=True, timeout=60,
        )  # fmt: skip
        assert done.stdout == "foreign profile\n"
        made = [each for each in home.rglob("*") if each.lstat().st_uid == 0]
        assert [each for each in made if "atmos-wrap" in each.parts] == []
    finally:
        for each in home.rglob("*"):
            os.chown(each, 0, 0, follow_symlinks=False)
        os.chown(home, 0, 0)


@pytest.mark.parametrize(
    ("shell", "env", "told"),
    [
        ("", {}, r"! hook +not in this shell"),
        ("tcsh", {}, r"! shell +tcsh, for which there is no hook"),
        ("zsh", {"HOME": None}, r"! hook +not in this shell"),
        ("fish", {"ATMOS_WRAP_HOOK": "fish:1:00000000"}, r"! hook +not in this shell"),
        ("zsh", {"ZDOTDIR": "{home}"}, r"  start file +{home}/.zshrc loads the hook"),
        ("bash", {"XDG_CACHE_HOME": "{home}/.zshrc"}, r"! cache +\S+ cannot be made: .* is no directory"),
        ("bash", {"XDG_STATE_HOME": "{home}/.zshrc"}, r"! state +\S+ cannot be made: .* is no directory"),
    ],
)  # fmt: skip
def test_check_says_what_is_wrong(
    cli: Cli, home: Path, shell: str, env: dict[str, str | None], told: str
) -> None:
    (home / ".zshrc").write_text('# eval\neval "$(atmos-wrap hook zsh)"\n')
    env = {name: value and value.format(home=home) for name, value in env.items()}
    done = cli("hook", *([shell] if shell else []), "--check", env=env)
    assert (done.exit, done.stderr) == (1, "")
    if shell:
        assert re.search(told.format(home=home), done.stdout), done.stdout
    else:  # whatever has started the tests
        assert re.search(told, done.stdout) or "! shell" in done.stdout


@SHELLS
def test_the_hook_of_the_shell_around_is_printed_and_one_of_another_version_is_told(
    machine: Machine, opened: Opened, shell: str
) -> None:
    typist = opened(shell)
    load = "atmos-wrap hook | source" if shell == "fish" else 'eval "$(atmos-wrap hook)"'
    printed = typist.type(load, "atmos-wrap hook --check", "true")
    assert re.search(r"  hook +at work in this shell", printed)
    other = 'string replace -r "[^:]*\\$" x $ATMOS_WRAP_HOOK'
    change = (
        f"set -gx ATMOS_WRAP_HOOK ({other})"
        if shell == "fish"
        else "ATMOS_WRAP_HOOK=${ATMOS_WRAP_HOOK%:*}:x"
    )
    printed = typist.type(change, "atmos-wrap hook --check")
    assert re.search(r"! hook +of another version", printed)


def test_what_comes_after_ours_in_a_text_of_commands_gets_the_status(
    machine: Machine, opened: Opened, tmp_path: Path
) -> None:
    typist = opened("bash")
    typist.type(LOAD["bash"], f"PROMPT_COMMAND='_atmos_wrap_hook; echo $? >> {tmp_path}/seen'")
    typist.type(f"cd {machine.repo}", "(exit 7)")
    assert "7" in (tmp_path / "seen").read_text().split()


@SHELLS
def test_a_pin_that_appears_is_seen_at_the_next_prompt(
    machine: Machine, opened: Opened, shell: str
) -> None:
    place = machine.repo / f"pinned-by-{shell}"
    place.mkdir()
    typist = opened(shell)
    typist.type(LOAD[shell], f"cd {place}")
    assert _value(typist, "AWS_PROFILE") == "outer"
    printed = typist.type(f"echo 'identity: other' > {place}/.atmos-wrap.yaml", "true")
    assert "has changed since you allowed it" in printed
    assert _value(typist, "AWS_PROFILE") == "foreign profile"
