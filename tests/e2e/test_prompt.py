"""What prompts and status lines show: fields, marks, names that would be expanded, a real tmux."""

from __future__ import annotations

import os
import re
import subprocess
import tempfile
import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e import docs_blocks, interactive
from tests.e2e.ends import hang_up

CLONE = Path(__file__).resolve().parents[2]
CONFIG = """\
auth:
  realm: lab
  providers: {pretend: {kind: mock/aws}, tokens: {kind: github/oidc, spec: {audience: sts}}}
  identities:
    dev: {kind: mock/aws, via: {provider: pretend}, default: true}
    prod-admin: {kind: mock/aws, via: {provider: pretend}}
    deploy: {kind: aws/assume-role, via: {provider: tokens}, principal: {assume_role: 'arn:aws:iam::222222222222:role/x'}}
wrap: {production: ['prod-*', 'live']}
"""
ODD = "%n%F{red}$(touch x)`touch x`#(touch x)#{pid}#[fg=red]!?".replace("[", "(").replace("]", ")")
# What bash, zsh and tmux expand in their prompts, and our own marks.
EXPANDED = set("$`\\%#!?")


@pytest.fixture
def repository(cli: Cli) -> Path:
    """An allowed repository; the program in PATH."""
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    (binaries / "atmos-wrap").symlink_to(cli.program)
    write(cli, CONFIG)
    return cli.cwd


def write(cli: Cli, text: str, place: Path | None = None) -> None:
    """Write a configuration and allow it."""
    place = place or cli.cwd
    place.mkdir(exist_ok=True)
    (place / "atmos.yaml").write_text(text)
    assert cli("allow", cwd=place).exit == 0


def shown(cli: Cli, *words: str, **env: str) -> str:
    """Return what `prompt` prints; it must say nothing else."""
    done = cli("prompt", *words, env=env)
    assert (done.exit, done.stderr) == (0, "")
    return done.stdout


def test_fields(cli: Cli, repository: Path) -> None:
    form = "{identity}|{kind}|{account}|{left}|{until}|{expires}|{signed_out}|{production}|{mark}"
    assert shown(cli, "--format", form) == "dev|mock/aws|||||?||?\n"
    assert cli("auth", "login", "-i", "dev").exit == 0
    line = shown(cli, "--format", form).rstrip("\n").split("|")
    assert line[:3] == ["dev", "mock/aws", "123456789012"]
    assert re.fullmatch(r"\d+h\d\dm \d\d:\d\d", " ".join(line[3:5]))
    assert line[5:] == ["4102444799", "", "", ""]
    assert shown(cli) == "dev\n"
    # The role names its account before anybody has signed in.
    env = {"ATMOS_IDENTITY": "deploy"}
    assert shown(cli, "--format={kind} {account}", **env) == "aws/assume-role 222222222222\n"
    assert shown(cli, "--format", "{identity:.3}", **env) == "dep\n"


def test_production_has_a_mark_and_a_text_of_its_own(cli: Cli, repository: Path) -> None:
    forms = ("--format", "{identity}", "--production", "LIVE {identity}")
    assert shown(cli, *forms) == "dev\n"
    assert shown(cli, *forms, ATMOS_IDENTITY="prod-admin") == "LIVE prod-admin\n"
    assert shown(cli, ATMOS_IDENTITY="prod-admin") == "prod-admin!?\n"
    told = cli("hook-export", "mise", env={"ATMOS_IDENTITY": "prod-admin"}).stdout
    assert '"ATMOS_WRAP_PRODUCTION", "value": "true"' in told
    write(cli, CONFIG.replace("['prod-*', 'live']", "'d*'"))
    assert (shown(cli), shown(cli, ATMOS_IDENTITY="prod-admin")) == ("dev!?\n", "prod-admin?\n")
    write(cli, CONFIG.replace("['prod-*', 'live']", "{a: 'd*'}"))
    assert shown(cli) == "dev?\n"


@pytest.mark.parametrize("env", [{"NO_COLOR": "1"}, {"FORCE_COLOR": "1", "TERM": "xterm"}])
def test_colours_are_the_prompts_own(cli: Cli, repository: Path, env: dict[str, str]) -> None:
    assert "\x1b" not in shown(cli, ATMOS_IDENTITY="prod-admin", **env)


def test_a_format_that_is_none_is_told(cli: Cli, repository: Path) -> None:
    for form in ("{nobody}", "{", "{identity.x}", "{0}", "a\nb"):
        assert cli("prompt", "--format", form).exit == 64
        assert cli("prompt", "--format", "x", "--production", form).exit == 64
    assert cli("prompt", "--nonsense").exit == 64
    assert "--production" in cli("prompt", "--help").stdout


def test_nothing_is_shown_where_there_is_nothing_or_no_consent(
    cli: Cli, repository: Path, tmp_path: Path
) -> None:
    assert shown(cli, "-C", "/") == ""
    assert shown(cli, "-C", str(repository)) == "dev?\n"
    assert cli("prompt", "-C", str(tmp_path / "gone")).stdout == ""
    (repository / "atmos.yaml").write_text(CONFIG + "# changed\n")
    assert shown(cli) == ""
    (repository / "atmos.yaml").write_text("auth: [\n")
    assert shown(cli) == ""


def test_nothing_is_started_and_nobody_contacted(
    cli: Cli, repository: Path, tool: Callable[[str], str], tmp_path: Path
) -> None:
    log = tmp_path / "calls"
    (repository / "atmos.yaml").write_text(CONFIG + "vars: {a: !exec 'touch ran'}\n")
    subprocess.run(
        [tool("strace"), "-f", "-o", str(log), "-e", "trace=connect,execve,socket",
         cli.program, "prompt"],
        cwd=repository, env=cli.environment, check=True, capture_output=True, timeout=60,
    )  # fmt: skip
    calls = log.read_text()
    assert len(re.findall(r"^\d+ +execve\(.*= 0$", calls, flags=re.M)) == 1
    assert "AF_INET" not in calls
    assert not list(repository.rglob("ran"))


# ---- names that prompts would expand --------------------------------------------------------------


@pytest.fixture
def odd(cli: Cli, repository: Path) -> str:
    """Have an identity with such a name; return what is shown of it."""
    write(cli, CONFIG.replace("    dev:", f"    '{ODD}':"))
    line = shown(cli).rstrip("\n")
    assert "_(touch x)" in line
    return line.removesuffix("?")


def test_nothing_that_a_prompt_expands_is_left_of_a_name(cli: Cli, odd: str) -> None:
    assert not EXPANDED & set(odd)
    assert not EXPANDED & set(shown(cli, "--format", "{identity} {stack} {kind}"))
    long = CONFIG.replace("    dev:", f"    'a\u202e{'x' * 900}':")
    write(cli, long)
    assert shown(cli, "--format", "{identity}") == f"a_{'x' * 62}…\n"


# The line of a start file, careless: the text is expanded once more when the prompt is drawn.
CARELESS = {
    "bash": 'careless() { PS1="<$ATMOS_WRAP_PROMPT>"; }; PROMPT_COMMAND+=(careless)',
    "zsh": 'setopt PROMPT_SUBST PROMPT_BANG; careless() { PROMPT="<$ATMOS_WRAP_PROMPT>" }; '
    "precmd_functions+=(careless)",
    "fish": "function fish_prompt; eval \"echo '<$ATMOS_WRAP_PROMPT>'\"; end",
}


@pytest.mark.parametrize("name", interactive.NAMES)
def test_shells_show_such_a_name_and_run_nothing(
    cli: Cli, odd: str, name: str, tool: Callable[[str], str], tmp_path: Path
) -> None:
    text = f"{interactive.HOOK[name]}\n{CARELESS[name]}"
    with interactive.started(name, tool(name), cli.environment, tmp_path, text) as shell:
        shell.run(f"cd {cli.cwd}")
        assert f"<{odd}?>" in shell.run("true").replace("!", "")
    assert not list(tmp_path.rglob("x"))


# ---- tmux -----------------------------------------------------------------------------------------


def blocks(language: str, page: str) -> list[str]:
    """Return the blocks of a page in a language."""
    path = f"docs/how-to/{page}.md"
    found = docs_blocks.blocks(path, (CLONE / path).read_text(encoding="utf-8"))
    return [block.text for block in found if block.language == language]


@pytest.fixture
def tmux(
    cli: Cli, repository: Path, tool: Callable[[str], str], tmp_path: Path
) -> Iterator[Callable[..., Any]]:
    """Return a function that runs tmux with the page's configuration, on a server of its own."""
    program = tool("tmux")
    config = tmp_path / "tmux.conf"
    config.write_text("".join(blocks("tmux", "prompts")) + "set -g status-interval 1\n")
    with tempfile.TemporaryDirectory() as sockets:  # a socket's path is short
        environment = {**cli.environment, "TMUX_TMPDIR": sockets, "TERM": "xterm"}

        def run(*words: str) -> str:
            done = subprocess.run(
                [program, "-f", str(config), *words], env=environment, cwd="/", check=True,
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
            return done.stdout

        run("new-session", "-d", "-x", "200", "-y", "10", "-c", str(repository), "sh")
        client: pexpect.spawn[str] = pexpect.spawn(
            program, ["attach"], env=environment, encoding="utf-8", timeout=60,
            dimensions=(10, 200),
        )  # fmt: skip
        try:
            yield lambda *words: run(*words) if words else client
        finally:
            run("kill-server")
            hang_up(client)


def test_the_status_line_of_tmux_follows_the_pane(
    cli: Cli, tmux: Callable[..., Any], tmp_path: Path
) -> None:
    client = tmux()
    client.expect_exact("dev?")
    # The directory's name is for a shell, the identity's for tmux: neither is expanded by them.
    place = tmp_path / "$(touch x) `touch x`'\"; touch x; #(touch x)"
    write(cli, CONFIG.replace("    dev:", f"    '{ODD}':"), place)
    tmux("respawn-pane", "-k", "sh", "-c", 'cd "$0" && exec sh', str(place))
    client.expect_exact("_(touch x)")
    assert not list(tmp_path.rglob("x"))
    write(cli, CONFIG.replace("default: true", "").replace("admin: {", "admin: {default: true, "))
    tmux("respawn-pane", "-k", "sh", "-c", 'cd "$0" && exec sh', str(cli.cwd))
    client.expect_exact("prod-admin!?")


# ---- starship -------------------------------------------------------------------------------------


def test_the_modules_for_starship_name_variables_that_are_set(cli: Cli, repository: Path) -> None:
    """starship shows `env_var` modules whose variable is set, and hides the others."""
    found = tomllib.loads("".join(blocks("toml", "prompts")))
    told = cli("hook-export", "direnv", env={"ATMOS_IDENTITY": "prod-admin"}).stdout
    for name, module in found["env_var"].items():
        assert f"export {name}=" in told
        assert "default" not in module
        assert f"${{env_var.{name}}}" in found["format"]
