"""A real shell in a terminal with the hook loaded, for tests of what happens inside it."""

from __future__ import annotations

from pathlib import Path

import pexpect

from tests.conftest import Cli
from tests.e2e.ends import hang_up

START = {
    "bash": ["--norc", "--noprofile", "-i"],
    "zsh": ["-f", "-i"],
    "fish": ["--no-config", "-i", "-C", "function fish_prompt; echo '$ '; end"],
}
LOAD = {
    "bash": 'eval "$(atmos-wrap hook bash)"',
    "zsh": 'eval "$(atmos-wrap hook zsh)"',
    "fish": "atmos-wrap hook fish | source",
}


class Hooked:
    """One shell; lines are typed, and each is waited for."""

    def __init__(
        self, name: str, program: str, cli: Cli, directory: Path, before: tuple[str, ...] = ()
    ) -> None:
        self.name, self.count, self.everything = name, 0, ""
        binaries = Path(cli.environment["PATH"].partition(":")[0])
        if not (binaries / "atmos-wrap").is_symlink():
            (binaries / "atmos-wrap").symlink_to(cli.program)
        environment = {**cli.environment, "TERM": "xterm", "PS1": "$ "}
        argv = [*before, program, *START[name]]
        self.child = pexpect.spawn(
            argv[0], argv[1:], env=environment, cwd=str(directory), encoding="utf-8",
            timeout=60, dimensions=(50, 500), echo=False,
        )  # fmt: skip
        self.run(LOAD[name])

    def run(self, *lines: str) -> str:
        """Type lines; return what was printed until each and the prompt after it were done."""
        printed = ""
        for line in lines:
            self.child.sendline(line)
            printed += self.done()
        return printed

    def done(self) -> str:
        """Return what is printed until the shell is ready for the next line."""
        self.count += 1
        self.child.sendline(f"echo E''ND-{self.count}-")
        self.child.expect(rf"END-{self.count}-\r?\n")
        printed = str(self.child.before)
        self.everything += printed
        return printed

    def close(self) -> None:
        """End the shell."""
        hang_up(self.child)
