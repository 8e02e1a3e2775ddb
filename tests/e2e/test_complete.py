"""Completion as a shell asks for it, by the installed program."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.conftest import Cli


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A repository with two stacks, an abstract component and an identity of mixed case."""
    root = tmp_path / "repository"
    (root / "stacks").mkdir(parents=True)
    (root / "atmos.yaml").write_text(
        "base_path: ./\n"
        "stacks: {base_path: stacks, included_paths: ['**/*'], name_template: '{{.vars.stage}}'}\n"
        "components: {terraform: {base_path: components}}\n"
        "auth:\n  identities:\n    Beta: {kind: ambient}\n    alpha: {kind: ambient}\n"
    )
    for stage, component in (("dev", "app"), ("prod", "net")):
        (root / "stacks" / f"{stage}.yaml").write_text(
            f"vars: {{stage: {stage}}}\n"
            "components:\n  terraform:\n    base: {metadata: {type: abstract}}\n"
            f"    {component}: {{vars: {{a: 1}}}}\n"
        )
    return root


@pytest.mark.parametrize(
    ("line", "lines"),
    [
        (["auth", "env", "--identity", ""], ["alpha", "Beta", ":4"]),
        (["auth", "env", "--identity=b"], ["alpha", "Beta", ":4"]),
        (["auth", "login", "--provider", ""], [":0"]),
        (["terraform", "plan", ""], ["app", "net", ":4"]),
        (["terraform", "plan", "-s", "dev", ""], ["app", ":4"]),
        (["terraform", "plan", "net", "-s", ""], ["prod", ":4"]),
        (["-C", "/nonexistent", "terraform", "plan", "-s", ""], [":4"]),
        (["terraform", "plan", "app", "-target=x", ""], [":0"]),
        (["terraform", "apply", "app", "-auto"], ["-auto-approve\tdo not ask", ":4"]),
        (["terraform", "apply", "app", "-var-f"], ["-var-file=\tset variables from a file", ":4"]),
        (["trust", "pr"], ["prune\tForget directories that are not there any more", ":4"]),
        (["--base-path", ""], [":16"]),
    ],
)
def test_scripts_written_for_cobra_are_answered(
    cli: Cli, repository: Path, line: list[str], lines: list[str]
) -> None:
    done = cli("__complete", *line, cwd=repository)

    assert (done.exit, done.stdout.splitlines(), done.stderr) == (0, lines, "")


def test_without_descriptions(cli: Cli, repository: Path) -> None:
    done = cli("__completeNoDesc", "trust", "", cwd=repository)

    assert done.stdout.splitlines() == ["list", "prune", ":4"]


def test_a_broken_configuration_offers_nothing_and_says_nothing(cli: Cli, repository: Path) -> None:
    (repository / "atmos.yaml").write_text("auth: [\n")

    done = cli("__complete", "auth", "env", "-i", "", cwd=repository)

    assert (done.exit, done.stdout, done.stderr) == (0, ":4\n", "")


def _offered(cli: Cli, repository: Path, *line: str, **more: object) -> list[str]:
    done = cli("__completeNoDesc", *line, cwd=repository, **more)  # type: ignore[arg-type]
    assert (done.exit, done.stderr) == (0, "")
    return done.stdout.splitlines()[:-1]


def _settled(*paths: Path) -> None:
    """Let files be as old as files usually are: what is younger than a clock tick is not kept."""
    for path in paths:
        for each in (path, *path.rglob("*")):
            os.utime(each, (1_700_000_000, 1_700_000_000))
    time.sleep(0.03)  # the change of a time is one, too: a tick of the file system's clock


def test_names_are_those_of_this_moment(cli: Cli, repository: Path) -> None:
    stacks = repository / "stacks"
    _settled(repository)
    for _ in range(2):
        assert _offered(cli, repository, "terraform", "plan", "app", "-s", "") == ["dev"]

    text = (stacks / "dev.yaml").read_text()
    with (stacks / "dev.yaml").open("r+") as stream:  # in place, of the same length
        stream.write(text.replace("stage: dev", "stage: tst"))
    assert _offered(cli, repository, "terraform", "plan", "app", "-s", "") == ["tst"]

    (stacks / "more.yaml").write_text(text)
    assert _offered(cli, repository, "terraform", "plan", "app", "-s", "") == ["dev", "tst"]

    (stacks / "dev.yaml").unlink()
    assert _offered(cli, repository, "terraform", "plan", "app", "-s", "") == ["dev"]


@pytest.mark.parametrize(
    ("file", "text"),
    [
        ("atmos.yaml", None),
        ("atmos.d/more.yaml", "auth: {identities: {gamma: {kind: ambient}}}\n"),
        ("profiles/ci/atmos.yaml", "auth: {identities: {gamma: {kind: ambient}}}\n"),
        ("stacks/atmos.yaml", "auth: {identities: {gamma: {kind: ambient}}}\n"),
    ],
)
def test_a_change_of_the_configuration_is_seen(
    cli: Cli, repository: Path, file: str, text: str | None
) -> None:
    line = ["--profile", "ci"] if "profiles" in file else []
    where = repository / "stacks" if file.startswith("stacks/") else repository
    if line:
        (repository / "profiles/ci").mkdir(parents=True)
    _settled(repository)
    for _ in range(2):
        assert "gamma" not in _offered(cli, where, *line, "auth", "env", "-i", "")

    path = repository / file
    path.parent.mkdir(exist_ok=True)
    path.write_text(text or (repository / "atmos.yaml").read_text().replace("Beta", "gamma"))

    assert "gamma" in _offered(cli, where, *line, "auth", "env", "-i", "")


def test_a_variable_that_decides_is_looked_at_again(cli: Cli, repository: Path) -> None:
    config = repository / "atmos.yaml"
    config.write_text(config.read_text().replace("base_path: stacks", "base_path: !env WHERE"))
    (repository / "empty").mkdir()
    _settled(repository)
    line = ("terraform", "plan", "-s", "")
    for _ in range(2):
        assert _offered(cli, repository, *line, env={"WHERE": "stacks"}) == ["dev", "prod"]

    assert _offered(cli, repository, *line, env={"WHERE": "empty"}) == []


def test_stacks_that_appear_are_offered(cli: Cli, repository: Path) -> None:
    (repository / "stacks").rename(repository / "elsewhere")
    _settled(repository)
    for _ in range(2):
        assert _offered(cli, repository, "terraform", "plan", "-s", "") == []

    (repository / "elsewhere").rename(repository / "stacks")

    assert _offered(cli, repository, "terraform", "plan", "-s", "") == ["dev", "prod"]


@pytest.mark.parametrize("cache", ["/dev/null/none", "{tmp}/file"])
def test_without_a_cache_names_are_found_all_the_same(
    cli: Cli, repository: Path, tmp_path: Path, cache: str
) -> None:
    (tmp_path / "file").write_text("")
    env = {"XDG_CACHE_HOME": cache.replace("{tmp}", str(tmp_path))}

    assert _offered(cli, repository, "terraform", "plan", "app", "-s", "", env=env) == ["dev"]


ABOUT = "version\tShow the version of this program"
BYTES = {"empty": b"", "no sum": b"no hex! and more", "not text": b"\xff" * 100}


@pytest.mark.parametrize("damage", [*BYTES, "cut off", "directory", "pipe", "link"])
def test_what_is_kept_and_damaged_counts_for_nothing(
    cli: Cli, repository: Path, tmp_path: Path, damage: str
) -> None:
    _settled(repository)
    env = {"XDG_CACHE_HOME": str(tmp_path / "cache")}
    line = ("terraform", "plan", "app", "-s", "")
    assert _offered(cli, repository, *line, env=env) == ["dev"]
    kept = sorted((tmp_path / "cache").rglob("*/complete/*"))
    assert [one.name.partition("-")[0] for one in kept] == ["config", "stacks"]

    for path in kept:
        whole = path.read_bytes()
        path.unlink()
        if damage == "directory":
            path.mkdir()
        elif damage == "pipe":
            os.mkfifo(path)
        elif damage == "link":
            path.symlink_to("/dev/zero")
        else:
            path.write_bytes(BYTES.get(damage, whole[:-9]))

    assert _offered(cli, repository, *line, env=env) == ["dev"]


def test_a_name_without_measure_is_not_offered(cli: Cli, repository: Path) -> None:
    huge = "N" * 1_000_000
    (repository / "stacks/huge.yaml").write_text(
        f"name: {huge}\nauth:\n  identities:\n    fine: {{kind: {huge}}}\n    ? {huge}\n"
        f"    : {{kind: ambient}}\ncomponents:\n  terraform:\n    ? {huge}\n    : {{}}\n    more: {{}}\n"
    )
    for line, names in {
        ("terraform", "plan", "more", "-s", ""): [],
        ("terraform", "plan", ""): ["app", "more", "net"],
        ("exec", "-i", ""): ["alpha", "Beta", "fine"],
    }.items():
        assert _offered(cli, repository, *line) == names
    done = cli("__complete", "--shell=zsh", "2", "exec", "-i", "", cwd=repository)
    assert max(map(len, done.stdout.splitlines())) < 100


def test_a_directory_that_is_gone(cli: Cli, repository: Path) -> None:
    gone = repository.parent / "gone"
    code = (
        "import os, sys; os.mkdir(sys.argv[1]); os.chdir(sys.argv[1]); os.rmdir(sys.argv[1]); "
        "os.execv(sys.argv[2], sys.argv[2:])"
    )
    argv = [sys.executable, "-c", code, str(gone), cli.program, "__complete"]
    offered = {}
    for line in ("terraform plan -s ", f"-C {repository} terraform plan -s ", "ver"):
        done = subprocess.run(
            [*argv, "--shell=fish", f"atmos-wrap {line}", ""],
            env=cli.environment, capture_output=True, text=True, check=True, timeout=60,
        )  # fmt: skip
        assert done.stderr == ""
        offered[line.split(maxsplit=1)[0]] = done.stdout.splitlines()[1:]

    assert offered == {"terraform": [], "-C": ["dev", "prod"], "ver": [ABOUT]}


def test_nothing_of_a_repository_is_run_and_nothing_contacted(
    cli: Cli, repository: Path, tmp_path: Path
) -> None:
    ran = tmp_path / "ran"
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        address = f"http://127.0.0.1:{server.getsockname()[1]}/x.yaml"
        (repository / "stacks/evil.yaml").write_text(
            f"import: ['{address}']\n"
            f"vars: {{stage: dev, a: !exec 'touch {ran}', b: '{{{{ exec `touch {ran}` }}}}'}}\n"
            f"components:\n  terraform:\n    odd:\n      vars: {{c: !exec 'touch {ran}'}}\n"
        )
        for _ in range(2):
            for line in (("terraform", "plan", "-s", ""), ("terraform", "plan", ""), ("use", "")):
                _offered(cli, repository, *line)
        config = repository / "atmos.yaml"
        config.write_text(config.read_text() + f"env: {{X: !exec 'touch {ran}'}}\n")
        for _ in range(2):
            _offered(cli, repository, "auth", "env", "-i", "")
            _offered(cli, repository, "terraform", "plan", "-s", "")
        with pytest.raises(TimeoutError):
            server.accept()

    assert not ran.exists()


def test_nothing_slow_is_loaded_where_names_are_kept(cli: Cli, repository: Path) -> None:
    _settled(repository)
    line = ["__complete", "--shell=bash", "atmos-wrap terraform plan app -s ", "", ""]
    code = (
        "import sys; bare = set(sys.modules); from wrapper import complete; "
        "complete.main(sys.argv[1:]); print(*set(sys.modules) - bare)"
    )
    argv = [sys.executable, "-E", "-P", "-c", code, *line]
    for _ in range(3):
        done = subprocess.run(
            argv, cwd=repository, env=cli.environment, capture_output=True, text=True, check=True
        )

    offered, name, modules = done.stdout.splitlines()
    assert (offered, name) == ("names 0", "dev")
    slow = {"typing", "re", "json", "yaml", "sqlite3", "hashlib", "wrapper.config", "wrapper.world"}
    assert not slow & set(modules.split())
