"""Measure what a prompt costs: ours, direnv's and mise's hook in bash, zsh and fish, side by side.

usage: python -m tests.bench.prompts [--sizes 10,10000] [--rounds N]. Each shell runs the function
that its prompt runs, and times it with its own clock; the three programs take turns in each round,
so that they share the machine's noise. "unchanged" is a prompt where nothing is new; "known" a
directory of a repository that was seen before, come to from outside (in fish, whose clock is a
program, half of going there and back); "allowed" a repository that was allowed a moment ago in this
shell; "unknown" a directory of it that was never seen; "changed" a directory whose answer is gone, as
after each change of a file that matters; "first" the same where nothing of the repository was ever
read.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.bench.__main__ import BIN, generate

PROGRAMS = ("atmos-wrap", "direnv", "mise")
STATES = ("unchanged", "known", "allowed", "unknown", "changed", "first")
# The function that a program's hook runs at each prompt, by shell.
FUNCTION = {
    "atmos-wrap": dict.fromkeys(("bash", "zsh", "fish"), "_atmos_wrap_hook"),
    "direnv": {"bash": "_direnv_hook", "zsh": "_direnv_hook", "fish": "__direnv_export_eval"},
    "mise": {"bash": "_mise_hook", "zsh": "_mise_hook_precmd", "fish": "__mise_env_eval"},
}
LOAD = {
    "atmos-wrap": "atmos-wrap hook {shell}",
    "direnv": "direnv hook {shell}",
    "mise": "mise activate {shell}",
}
# Print the microseconds of one run of a function, after a step that is not timed.
TIMED = {
    "bash": 'once() {{ builtin cd "$1"; [[ $2 == 0 ]] || {function}; local began=$EPOCHREALTIME; builtin cd "$3"; {function};'
    " local ended=$EPOCHREALTIME; echo $((${{ended/[.,]/}} - ${{began/[.,]/}})); }}",
    "zsh": "zmodload zsh/datetime; once() {{ builtin cd -q $1; [[ $2 == 0 ]] || {function}; local -F began=$EPOCHREALTIME; builtin cd -q $3; {function};"
    " printf '%.0f\\n' $(( (EPOCHREALTIME - began) * 1000000 )); }}",
    # fish has no clock of its own: a program tells it the time, before and after many runs.
    "fish": "function once; builtin cd $argv[1]; test $argv[2] = 0; or {function}; set -l began (date +%s%N); builtin cd $argv[3];"
    " for i in (seq {repeat}); {again}{function}; end; set -l ended (date +%s%N);"
    ' math "($ended - $began) / 1000 / {repeat}"; end',
}


def main() -> int:
    """Measure, and print the table; return 0."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sizes", default="10,10000")
    parser.add_argument("--rounds", type=int, default=15)
    options = parser.parse_args()
    programs = [name for name in PROGRAMS if name == "atmos-wrap" or shutil.which(name)]
    print("| manifests | shell | state | program | min ms | median ms | runs |")
    print("|---|---|---|---|---|---|---|")
    for size in (int(each) for each in options.sizes.split(",")):
        with tempfile.TemporaryDirectory(prefix="bench-") as scratch:
            environment = _prepared(Path(scratch), size, programs)
            for shell in ("bash", "zsh", "fish"):
                if shutil.which(shell):
                    _measure(Path(scratch), size, shell, programs, environment, options.rounds)
    for name in PROGRAMS:
        if name not in programs:
            print(f"\nno rows of {name}: it is not installed")
    return 0


def _prepared(root: Path, size: int, programs: list[str]) -> dict[str, str]:
    """Make a repository with what each program reads, allowed to each; return the environment."""
    for name in ("home", "bin", "out"):
        (root / name).mkdir()
    for name, real in {"atmos-wrap": str(BIN / "atmos-wrap")}.items():
        (root / "bin" / name).symlink_to(real)
    for name in programs[1:]:
        (root / "bin" / name).symlink_to(str(shutil.which(name)))
    environment = {
        "HOME": str(root / "home"), "PATH": f"{root / 'bin'}{os.pathsep}{os.defpath}",
        "LANG": "C.UTF-8", "TERM": "dumb", "MISE_TRUSTED_CONFIG_PATHS": str(root / "repo"),
        "MISE_OFFLINE": "1", "DIRENV_LOG_FORMAT": "",
    }  # fmt: skip
    repo = root / "repo"
    generate(repo, size)
    (repo / "never").mkdir()
    # What ours gives, as the other programs' own files say it.
    (repo / ".envrc").write_text(
        "export AWS_PROFILE=deploy AWS_REGION=us-east-1 AWS_CONFIG_FILE=x\n"
    )
    (repo / "mise.toml").write_text(
        "[env]\nAWS_PROFILE='deploy'\nAWS_REGION='us-east-1'\nAWS_CONFIG_FILE='x'\n"
    )
    _run(["atmos-wrap", "allow"], repo, environment)
    if "direnv" in programs:
        _run(["direnv", "allow"], repo, environment)
    return environment


def _run(argv: list[str], cwd: Path, environment: Mapping[str, str]) -> str:
    program = os.path.join(environment["PATH"].partition(os.pathsep)[0], argv[0])
    done = subprocess.run(
        [program if os.path.exists(program) else argv[0], *argv[1:]],
        cwd=cwd, env=dict(environment), capture_output=True, text=True, timeout=120, check=True,
    )  # fmt: skip
    return done.stdout


def _measure(
    root: Path, size: int, shell: str, programs: list[str], environment: dict[str, str], rounds: int
) -> None:
    times: dict[tuple[str, str], list[float]] = {}
    for number in range(rounds):
        for program in programs:
            for state in STATES:
                found = _once(root, shell, program, state, environment, fresh=number)
                times.setdefault((state, program), []).extend(found)
    for state in STATES:
        for program in programs:
            found = times[state, program]
            least, middle = min(found) / 1000, statistics.median(found) / 1000
            print(
                f"| {size} | {shell} | {state} | {program} | {least:.3f} | {middle:.3f} | {len(found)} |",
                flush=True,
            )


def _once(
    root: Path, shell: str, program: str, state: str, environment: dict[str, str], *, fresh: int
) -> list[float]:
    """Start a shell that measures one state some times; return microseconds."""
    repo, outside = root / "repo", root / "out"
    # A fish shell that is timed by programs needs many runs of what takes little.
    often = shell == "fish" and state in ("unchanged", "known")
    repeat = (300 if program == "atmos-wrap" else 10) if often else 1
    function = FUNCTION[program][shell]
    again = ""
    if shell == "fish" and state == "known":
        again = f"builtin cd $argv[1]; {function}; builtin cd $argv[3]; "
    lines = [
        _run([*LOAD[program].format(shell=shell).split()], outside, environment),
        TIMED[shell].format(function=function, repeat=repeat, again=again),
    ]
    if state == "unchanged":
        lines += [f"once {repo} 1 {repo}"] * 12
    elif state == "known":
        lines += [f"once {repo} 1 {outside}", *[f"once {outside} 1 {repo}"] * 8]
    else:
        cache = root / "home/.cache/atmos-wrap"
        shutil.rmtree(cache if state == "first" else cache / "hook", ignore_errors=True)
        if state in ("allowed", "unknown") and program == "atmos-wrap":
            lines += [f"cd {repo}", "atmos-wrap allow >/dev/null 2>&1", f"cd {outside}"]
        lines += [f"once {outside} 1 {repo / 'never' if state == 'unknown' else repo}"]
    script = root / f"script-{fresh}"
    script.write_text("\n".join(lines) + "\n")
    flags = {"bash": ["--norc"], "zsh": ["-f"], "fish": ["--no-config"]}[shell]
    printed = _run([str(shutil.which(shell)), *flags, str(script)], outside, environment)
    words = (word for word in printed.split() if word.lstrip("-").replace(".", "", 1).isdigit())
    found = [float(word) / (2 if again else 1) for word in words]
    return found[2:] if state == "unchanged" else found[1:] if state == "known" else found


if __name__ == "__main__":
    sys.exit(main())
