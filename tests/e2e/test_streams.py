"""Where output goes: any locale, a pipe that closed, a full disk, a file, a device named for output."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository

DEV = repository.STACK.format(stage="dev")
CATALOG = 'components: {terraform: {app: {vars: {text: "é→日"}}}}\n'
PLAIN = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}


@pytest.fixture(autouse=True)
def repo(cli: Cli) -> Path:
    """Write the repository to the working directory."""
    files = {"stacks/catalog/app.yaml": CATALOG, "stacks/deploy/dev.yaml": DEV}
    repository.write(cli.cwd, files)
    return cli.cwd


def status(cli: Cli, script: str) -> tuple[int, str]:
    """Run a shell script in which `$W` is the program; return its status and stderr."""
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=cli.cwd,
        env=cli.environment | {"W": cli.program},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return done.returncode, done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        "describe component app -s dev -q .vars.text",
        "describe component app -s dev -f json",
        "describe component app -s dev --provenance",
        "describe stacks",
        "list vars app",
        "list instances --columns vars.text -f csv",
        "why vars.text -c app -s dev",
    ],
)
def test_data_is_utf_8_in_every_locale(cli: Cli, arguments: str) -> None:
    done = subprocess.run(
        [cli.program, *arguments.split()],
        cwd=cli.cwd,
        env=cli.environment | PLAIN,
        capture_output=True,
        timeout=60,
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert "é→日" in done.stdout.decode("utf-8")


@pytest.mark.parametrize(
    "command", ["describe schema manifest", "describe stacks", "list vars app"]
)
def test_a_pipe_that_nobody_reads_and_a_full_disk(cli: Cli, command: str) -> None:
    read, write = os.pipe()
    os.close(read)
    with os.fdopen(write, "wb") as pipe:
        done = subprocess.run(
            [cli.program, *command.split()],
            cwd=cli.cwd, env=cli.environment, stdin=subprocess.DEVNULL, stdout=pipe,
            stderr=subprocess.PIPE, text=True, timeout=60,
        )  # fmt: skip
    assert (done.returncode, done.stderr) == (141, "")
    told = "error: cannot write the output: No space left on device\n"
    assert status(cli, f"$W {command} > /dev/full") == (69, told)


NAMED = [
    "describe component app -s dev -f json -q .vars --file",
    "terraform generate varfile app -s dev -f",
]


@pytest.mark.parametrize("command", NAMED)
def test_a_pipe_named_for_output_is_written_to_and_stays_a_pipe(cli: Cli, command: str) -> None:
    os.mkfifo(cli.cwd / "pipe")
    with subprocess.Popen(["cat", cli.cwd / "pipe"], stdout=subprocess.PIPE, text=True) as reader:
        try:
            done = cli(*command.split(), "pipe")
            assert (done.exit, done.stdout, done.stderr) == (0, "", "")
            assert (cli.cwd / "pipe").is_fifo()
            shown = reader.communicate(timeout=60)[0]
        finally:
            reader.kill()
    assert json.loads(shown)["text"] == "é→日"


@pytest.mark.parametrize("command", NAMED)
def test_links_are_written_through_and_what_is_named_dev_stays(cli: Cli, command: str) -> None:
    (cli.cwd / "target").write_text("old")
    (cli.cwd / "link").symlink_to("target")
    assert cli(*command.split(), "link").exit == 0
    assert (cli.cwd / "link").is_symlink()
    assert json.loads((cli.cwd / "target").read_text())["text"] == "é→日"
    # The descriptor's own name, so that a fault could not touch the machine's devices.
    assert status(cli, f"echo before > out; $W {command} /proc/self/fd/1 >> out") == (0, "")
    before, _, after = (cli.cwd / "out").read_text().partition("\n")
    assert (before, json.loads(after)["text"]) == ("before", "é→日")


def test_a_file_named_for_output_keeps_its_mode_and_is_whole(cli: Cli) -> None:
    (cli.cwd / "out").write_text("x" * 10_000)
    (cli.cwd / "out").chmod(0o640)
    command = ("describe", "component", "app", "-s", "dev", "-q", ".vars.text", "--file")
    assert cli(*command, "out") == (0, "", "")
    assert (cli.cwd / "out").read_text() == "é→日\n"
    assert (cli.cwd / "out").stat().st_mode & 0o777 == 0o640
    done = cli(*command, ".")
    assert (done.exit, done.stderr) == (69, "error: cannot write .: Is a directory\n")
