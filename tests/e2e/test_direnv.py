"""`use atmos` in an .envrc, with the real direnv in real shells."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import interactive
from tests.e2e.interactive import Interactive

DIRENV = {
    "bash": 'eval "$(direnv hook bash)"',
    "zsh": 'eval "$(direnv hook zsh)"',
    "fish": "direnv hook fish | source",
}


@pytest.fixture(params=interactive.NAMES)
def name(request: pytest.FixtureRequest) -> str:
    """Return each shell in turn."""
    return str(request.param)


@pytest.fixture
def repository(cli: Cli, tool: Callable[[str], str], home: Path) -> Path:
    """A repository whose .envrc says `use atmos`, known to direnv and not yet to us."""
    tool("direnv")
    binaries = Path(cli.environment["PATH"].partition(os.pathsep)[0])
    (binaries / "atmos-wrap").symlink_to(cli.program)
    cli.environment["PATH"] = os.pathsep.join(
        [str(binaries), str(Path(tool("direnv")).parent), os.defpath]
    )
    cli.environment |= interactive.FOREIGN
    # Where direnv is the same for each shell, fish's own XDG_CONFIG_HOME or not.
    cli.environment["DIRENV_CONFIG"] = str(home / ".config/direnv")
    library = home / ".config/direnv/lib/atmos-wrap.sh"
    library.parent.mkdir(parents=True)
    library.write_text(cli("hook", "direnv").stdout)
    interactive.allowed(cli, cli.cwd)
    # direnv compares times in seconds: what a test writes must be later.
    for path in (cli.cwd / "atmos.yaml", *home.glob(".local/state/atmos-wrap/trust/*")):
        os.utime(path, (1_700_000_000, 1_700_000_000))
    envrc(cli, "use atmos")
    return cli.cwd


def envrc(cli: Cli, text: str) -> None:
    """Write the .envrc and have direnv allow it."""
    import subprocess

    (cli.cwd / ".envrc").write_text(text + "\n")
    subprocess.run(["direnv", "allow"], cwd=cli.cwd, env=cli.environment, check=True)


@pytest.fixture
def start(
    cli: Cli, name: str, repository: Path, tool: Callable[[str], str], tmp_path: Path
) -> Iterator[interactive.Start]:
    """Return a function that starts a shell with lines in its start file."""
    with ExitStack() as open_shells:

        def started(*lines: str) -> Interactive:
            text = "\n".join(lines or (DIRENV[name],))
            made = interactive.started(name, tool(name), cli.environment, tmp_path, text)
            return open_shells.enter_context(made)

        yield started


def test_in_edited_and_out(start: interactive.Start, repository: Path) -> None:
    shell = start()
    before = shell.clouds()
    shell.run(f"cd {repository}")
    inside = shell.clouds()
    assert (inside["AWS_PROFILE"], inside["AWS_REGION"]) == ("outer", "eu-west-1")
    assert inside["ATMOS_WRAP_PROMPT"] == "outer?"
    assert not {"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SSO_ACCOUNT_ID"} & set(inside)
    shell.run("cd deep")
    assert shell.clouds() == inside
    path = repository / "atmos.yaml"
    path.write_text(path.read_text().replace("outer:", "renamed:"))
    assert "has changed since you allowed it" in shell.run("true")
    assert shell.clouds() == before
    shell.run("atmos-wrap allow > /dev/null", "true")
    assert shell.clouds()["AWS_PROFILE"] == "renamed"
    shell.run("cd /")
    assert shell.clouds() == before
    assert not list(repository.rglob("[xy]"))


@pytest.mark.parametrize("name", ["bash"])
def test_consent_counts_beside_that_of_direnv(
    start: interactive.Start, repository: Path, cli: Cli
) -> None:
    assert cli("revoke").exit == 0
    shell = start()
    before = shell.clouds()
    printed = shell.run(f"cd {repository}", "true", "cd deep")
    assert printed.count("is not allowed yet") == 1
    assert shell.clouds() == before
    shell.run("atmos-wrap allow > /dev/null", "true")
    assert shell.clouds()["AWS_PROFILE"] == "outer"


@pytest.mark.parametrize("name", ["bash"])
def test_what_direnv_does_not_allow_is_not_read(start: interactive.Start, repository: Path) -> None:
    (repository / ".envrc").write_text("use atmos other\n")
    shell = start()
    before = shell.clouds()
    assert ".envrc is blocked" in shell.run(f"cd {repository}")
    assert shell.clouds() == before


def test_beside_our_own_hook(
    start: interactive.Start, repository: Path, name: str, cli: Cli, tmp_path: Path
) -> None:
    """direnv is run first, as the page says how; then each gives back what it took."""
    envrc(cli, "use atmos other")
    lines = (interactive.HOOK[name], DIRENV[name])
    shell = start(*(reversed(lines) if name == "fish" else lines))
    before = shell.clouds()
    shell.run(f"cd {repository}")
    assert shell.clouds()["AWS_PROFILE"] == "other"
    shell.run("cd deep", "true", f"cd {interactive.allowed(cli, tmp_path / 'plain', 'plain')}")
    assert shell.clouds()["AWS_PROFILE"] == "plain"
    shell.run("cd /")
    assert shell.clouds() == before


@pytest.mark.parametrize("name", ["bash"])
def test_either_order_does_where_both_mean_the_same(
    start: interactive.Start, repository: Path, name: str
) -> None:
    lines = (interactive.HOOK[name], DIRENV[name])
    shell = start(*(lines if name == "fish" else reversed(lines)))
    before = shell.clouds()
    shell.run(f"cd {repository}")
    assert shell.clouds()["AWS_PROFILE"] == "outer"
    shell.run("cd deep", "cd /")
    assert shell.clouds() == before


def test_in_the_other_order_the_hook_follows_one_prompt_later(
    start: interactive.Start, repository: Path, name: str, cli: Cli
) -> None:
    """What direnv would put back on leaving must not be what our hook had set."""
    envrc(cli, "use atmos other")
    lines = (interactive.HOOK[name], DIRENV[name])
    shell = start(*(lines if name == "fish" else reversed(lines)))
    before = shell.clouds()
    printed = shell.run(f"cd {repository}")
    # In zsh direnv is called by `cd` itself, and so always first.
    assert ("from the next prompt on" in printed) == (name != "zsh")
    shell.run("true")
    assert shell.clouds()["AWS_PROFILE"] == "other"
    shell.run("cd deep", "cd /", "true")
    assert shell.clouds() == before


@pytest.mark.parametrize(
    ("given", "profile", "said"),
    [
        ("use atmos other", "other", ""),
        ("use atmos identity:other", "other", ""),
        ("use atmos dev", "outer", ""),
        ("use atmos nobody", "foreign profile", "neither a stack nor an identity"),
        ("use atmos 'x; touch owned'", "foreign profile", "neither a stack nor an identity"),
        ("use atmos a b", "foreign profile", "hook-export takes"),
    ],
)
def test_an_argument_names_a_stack_or_an_identity(
    repository: Path, cli: Cli, given: str, profile: str, said: str
) -> None:
    """`direnv exec` is what editors and scripts use: no shell, no prompt."""
    import subprocess

    (repository / "stacks/dev.yaml").write_text(
        "vars: {stage: dev}\ncomponents: {terraform: {app: {}}}\n"
    )
    envrc(cli, given)
    done = subprocess.run(
        ["direnv", "exec", str(repository), "sh", "-c", "echo $AWS_PROFILE"],
        cwd="/", env=cli.environment, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.stdout.strip() or "foreign profile") == profile
    assert (said in done.stderr) if said else ("atmos-wrap:" not in done.stderr)
    assert not list(repository.rglob("owned"))


def test_directories_that_set_nothing_say_why(cli: Cli, repository: Path) -> None:
    assert "log_error" not in cli("hook-export", "direnv").stdout
    told = cli("hook-export", "direnv", cwd=Path("/")).stdout
    assert "there is no atmos.yaml" in told
    (repository / "atmos.yaml").write_text("auth: {realm: lab}\n")
    cli("allow")
    assert "no identity in" in cli("hook-export", "direnv").stdout
    cli("deny")
    assert "log_error" not in cli("hook-export", "direnv").stdout
