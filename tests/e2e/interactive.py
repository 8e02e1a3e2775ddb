"""An interactive shell in a terminal, with the start file that a page tells its reader to write."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pexpect

from tests.e2e.ends import hang_up

NAMES = ("bash", "zsh", "fish")
# The line of the how-to for each shell's start file.
HOOK = {
    "bash": 'eval "$(atmos-wrap hook bash)"',
    "zsh": 'eval "$(atmos-wrap hook zsh)"',
    "fish": "atmos-wrap hook fish | source",
}
CONFIG = """\
base_path: ./
auth:
  realm: lab
  identities:
    {name}:
      kind: aws/user
      default: true
      credentials: {{access_key_id: !env LAB_KEY, secret_access_key: !env LAB_SECRET, region: eu-west-1}}
    other:
      kind: aws/user
      credentials: {{access_key_id: !env LAB_KEY, secret_access_key: !env LAB_SECRET}}
stacks: {{base_path: stacks, included_paths: ['*'], name_pattern: '{{stage}}'}}
components: {{terraform: {{base_path: components/terraform}}}}
"""
# What a shell has from elsewhere; all of it must be there again after leaving.
FOREIGN = {
    "AWS_ACCESS_KEY_ID": "foreign",
    "AWS_SECRET_ACCESS_KEY": "it's $(touch x) `touch y` \\ \"",
    "AWS_PROFILE": "foreign profile",
    "AWS_SSO_ACCOUNT_ID": "1",
}


class Interactive:
    """A shell that has read its start file; each line typed is waited for."""

    def __init__(self, child: pexpect.spawn[str], name: str, tmp: Path) -> None:
        self.child, self.name, self.tmp, self.count = child, name, tmp, 0
        # What the start file printed, and the first prompt.
        self.begun = ""

    def run(self, *lines: str) -> str:
        """Type lines; return what was printed until the prompt after the last one was there."""
        printed = ""
        for line in lines:
            self.count += 1
            self.child.sendline(line)
            # What is typed here is read only after the prompt's hooks have run.
            self.child.sendline(f"echo E''ND-{self.count}-")
            self.child.expect(rf"END-{self.count}-\r?\n")
            printed += str(self.child.before)
        return printed

    def environment(self) -> dict[str, str]:
        """Return the whole environment that a program gets now."""
        self.count += 1
        path = self.tmp / f"env-{self.count}"
        self.run(f"env -0 > {path}")
        found = path.read_bytes().decode().rstrip("\0").split("\0")
        return dict(entry.partition("=")[::2] for entry in found)

    def clouds(self) -> dict[str, str]:
        """Return the variables of that which are a cloud's or ours."""
        return {k: v for k, v in self.environment().items() if k.startswith(("AWS_", "ATMOS_"))}


Start = Callable[..., Interactive]


def allowed(cli: Callable[..., object], place: Path, name: str = "outer") -> Path:
    """Write a repository whose default identity is `name`, and allow it."""
    for directory in ("stacks", "components/terraform", "deep"):
        (place / directory).mkdir(parents=True, exist_ok=True)
    (place / "atmos.yaml").write_text(CONFIG.format(name=name))
    cli("allow", cwd=place)
    return place


@contextmanager
def started(
    name: str, program: str, environment: Mapping[str, str], tmp: Path, start_file: str
) -> Iterator[Interactive]:
    """Have a shell in a terminal; `start_file` is the text of its own start file."""
    home = tmp / f"{name}-home"
    argv = [program, "-i"]
    more = {"TERM": "xterm", "SHELL": program}
    if name == "bash":
        argv = [program, "--noprofile", "--rcfile", str(home / "rc"), "-i"]
        text, path = f"PS1='$ '\n{start_file}", home / "rc"
    elif name == "zsh":
        argv = [program, "-d", "-i"]
        more["ZDOTDIR"] = str(home)
        text, path = f"PS1='$ '; unsetopt ZLE PROMPT_SP\n{start_file}", home / ".zshrc"
    else:  # its own prompt starts git
        more["XDG_CONFIG_HOME"] = str(home)
        text = f"function fish_prompt; echo '$ '; end; set -g fish_greeting\n{start_file}"
        path = home / "fish/config.fish"
        # Else the first fish writes some hundred files in the background.
        known = Path(environment["HOME"], ".local/share/fish/generated_completions")
        known.mkdir(parents=True, exist_ok=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n")
    child: pexpect.spawn[str] = pexpect.spawn(
        argv[0], argv[1:], env={**environment, **more}, cwd="/", encoding="utf-8", timeout=60,
        dimensions=(50, 300), echo=False,
    )  # fmt: skip
    try:
        shell = Interactive(child, name, tmp)
        shell.begun = shell.run("true")
        yield shell
    finally:
        hang_up(child)
