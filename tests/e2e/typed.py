"""A real shell in a terminal with our completion loaded: keys go in, the command's words come out."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect

from tests.conftest import Cli
from tests.e2e.ends import hang_up

TAB, RETURN, KILL, LEFT, INTERRUPT = "\t", "\r", "\x15", "\x02", "\x03"
PROMPT = "ready> "
# In place of our program: it writes down what it was called with, then says so.
RECORDER = """\
#!/bin/sh
[ "$1" != __complete ] || exec "$REAL" "$@"
printf '%s\\0' "$@" >"$RECORD.new"
mv "$RECORD.new" "$RECORD"
echo "recorded-$$-"
"""
START = {
    "bash": "PS1='ready> '\nbind 'set enable-bracketed-paste off'\nbind 'set bell-style none'\n"
    "set +o history\nPS2='more> '\n",
    "zsh": "PS1='ready> ' PS2='more> '\nunsetopt zle_bracketed_paste prompt_sp beep\n"
    "autoload -Uz compinit\ncompinit -u -D\nzstyle ':completion:*' list-prompt ''\nLISTMAX=100000\n",
    "fish": "function fish_prompt; echo -n 'ready> '; end\nset -g fish_greeting\n"
    "set -g fish_autosuggestion_enabled 0\nset -g fish_color_normal normal\n",
}


class Typed:
    """A shell that waits for keys."""

    def __init__(self, shell: str, child: pexpect.spawn[str], record: Path) -> None:
        self.shell = shell
        self.child = child
        self.record = record

    def run(self, keys: str) -> list[str]:
        """Type keys and return; give the words with which the program was called.

        The words end with what the terminal showed where the program was never called.
        """
        self.record.unlink(missing_ok=True)
        self.child.send(keys + RETURN)
        found = self.child.expect([r"recorded-\d+-\r\n", "more> ", pexpect.TIMEOUT], timeout=60)
        shown = str(self.child.before)
        if found:
            self.child.send(INTERRUPT)
            self.command("true")
            return ["never called", shown]
        return self.record.read_text().split("\0")[:-1]

    def shows(self, keys: str, text: str) -> str:
        """Type keys, wait for a text, take the line back; return what was shown up to the text."""
        self.child.send(keys)
        self.child.expect_exact(text, timeout=60)
        shown = str(self.child.before) + str(self.child.after)
        self.child.send(INTERRUPT)
        self.command("true")
        return shown

    def command(self, line: str) -> str:
        """Run a line of the shell; return what it printed and the prompts around it."""
        mark = f"ended-{os.urandom(4).hex()}"
        self.child.send(f"{line}; printf '%s%s\\n' {mark[:6]} {mark[6:]}{RETURN}")
        self.child.expect_exact(mark, timeout=60)
        return str(self.child.before)


@contextmanager
def started(
    shell: str, program: str, cli: Cli, completion: str, before: str = "", after: str = ""
) -> Iterator[Typed]:
    """Start a shell in `cli.cwd` with the text of a completion file; `before` and `after` are run around it."""
    home = Path(cli.environment["HOME"])
    file = home / f"completion.{shell}"
    file.write_text(completion)
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    recorder = binaries / "atmos-wrap"
    recorder.write_text(RECORDER)
    recorder.chmod(0o755)
    record = home / "record"
    environment = {
        **cli.environment,
        "TERM": "xterm",
        "REAL": cli.program,
        "RECORD": str(record),
        "ZDOTDIR": str(home),
        "SHELL": program,
    }
    start = before + START[shell] + f"source {file}\n" + after
    argv = {
        "bash": ["--noprofile", "--rcfile", str(home / "rc.bash"), "-i"],
        "zsh": ["-d", "-i"],
        "fish": ["-i"],
    }[shell]
    places = {"bash": "rc.bash", "zsh": ".zshrc", "fish": ".config/fish/config.fish"}
    (home / places[shell]).parent.mkdir(parents=True, exist_ok=True)
    (home / places[shell]).write_text(start)
    # Else the first fish writes some hundred files in the background.
    (home / ".local/share/fish/generated_completions").mkdir(parents=True, exist_ok=True)
    child = pexpect.spawn(
        program,
        argv,
        env=environment,  # type: ignore[arg-type]
        cwd=str(cli.cwd),
        encoding="utf-8",
        dimensions=(60, 200),
        timeout=60,
    )
    child.delaybeforesend = None
    found = Typed(shell, child, record)
    try:
        child.expect_exact(PROMPT)
        yield found
    finally:
        hang_up(child)


def completion(cli: Cli, shell: str, environment: Mapping[str, str]) -> str:
    """Return the file that the program prints for a shell."""
    return subprocess.run(
        [cli.program, "completion", shell],
        env=dict(environment),
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    ).stdout
