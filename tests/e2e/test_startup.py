"""What a warm run imports: every module costs milliseconds at each prompt and each terraform command."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository
from tests.fakes import aws, demo_repository

# Runs the program as its console script does, and writes down what is loaded when it becomes another one, or
# ends. An audit hook is how the interpreter itself tells of an exec; nothing is replaced.
REPORT = """
import atexit, os, sys
def report(event="os.exec", arguments=()):
    if event == "os.exec":
        with open(os.environ["LOADED"], "w") as stream:
            stream.write("\\n".join(sorted(sys.modules)))
sys.addaudithook(report)
atexit.register(report)
from wrapper.__main__ import main
sys.exit(main())
"""
NEVER = {
    "azure", "boto3", "botocore", "cryptography", "google", "gotpl", "keyring", "playwright", "questionary",
    "requests", "rich", "shellingham", "typer", "wcmatch", "click",
}  # fmt: skip
SLOW = {
    "asyncio", "dataclasses", "http", "inspect", "pathlib", "subprocess", "tempfile", "typing", "urllib",
}  # fmt: skip


def _loaded(cli: Cli, tmp_path: Path, *argv: str) -> set[str]:
    """Run a command line twice; return the top-level modules that the second run has loaded."""
    loaded = tmp_path / "loaded"
    for _ in range(2):
        subprocess.run(
            [sys.executable, "-E", "-P", "-c", REPORT, *argv],
            cwd=cli.cwd,
            env=cli.environment | {"LOADED": str(loaded)},
            check=True,
            capture_output=True,
            timeout=60,
        )
    modules = loaded.read_text().split()
    assert "wrapper.__main__" in modules
    return {name.partition(".")[0] for name in modules}


@pytest.fixture
def demo(cli: Cli, environment: dict[str, str], fake_aws: aws.Fake) -> Cli:
    """The demo's repository, with a stand-in for terraform that does nothing."""
    made = demo_repository.prepare(fake_aws, cli.cwd)
    cli.environment |= fake_aws.environment() | {
        "DEMO_ACCESS_KEY_ID": made.user.access_key_id,
        "DEMO_SECRET_ACCESS_KEY": made.user.secret_access_key,
    }
    _stand_in(environment)
    return cli


def _stand_in(environment: dict[str, str]) -> None:
    program = Path(environment["PATH"].partition(os.pathsep)[0], "terraform")
    program.write_text(
        '#!/bin/sh\n[ "$1 $2" != "workspace select" ] || { mkdir -p .terraform; '
        'printf %s "$4" > .terraform/environment; }\n'
    )
    program.chmod(0o755)


@pytest.mark.parametrize("subcommand", ["plan", "output"])
def test_a_warm_terraform_run_loads_nothing_slow(
    demo: Cli, tmp_path: Path, subcommand: str
) -> None:
    found = _loaded(demo, tmp_path, "terraform", subcommand, "app", "-s", "dev")
    assert found & (NEVER | SLOW) == set()


def test_a_warm_run_without_identity_loads_nothing_slow(
    cli: Cli, environment: dict[str, str], tmp_path: Path
) -> None:
    repository.write(cli.cwd)
    _stand_in(environment)
    found = _loaded(cli, tmp_path, "terraform", "plan", "app", "-s", "dev")
    assert found & (NEVER | SLOW) == set()


def test_a_warm_exec_loads_nothing_slow(demo: Cli, tmp_path: Path) -> None:
    found = _loaded(demo, tmp_path, "exec", "-c", "app", "-s", "dev", "--", "true")
    assert found & (NEVER | SLOW) == set()


def test_a_credential_process_that_has_a_session_loads_nothing_slow(
    demo: Cli, tmp_path: Path
) -> None:
    shown = demo("exec", "-c", "app", "-s", "dev", "--", "sh", "-c", 'cat "$AWS_CONFIG_FILE"')
    profile = shown.stdout.partition("[profile dev-deploy]")[2]
    command = profile.partition("credential_process = ")[2].partition("\n")[0].split()
    argv = command[command.index("credential-process") :]
    found = _loaded(demo, tmp_path, *argv)
    assert found & (NEVER | SLOW | {"yaml"}) == set()


@pytest.mark.parametrize(
    "argv", [("describe", "component", "app", "-s", "dev"), ("list", "stacks")], ids="-".join
)
def test_a_warm_look_at_stacks_loads_nothing_slow(
    cli: Cli, tmp_path: Path, argv: tuple[str, ...]
) -> None:
    repository.write(cli.cwd)
    found = _loaded(cli, tmp_path, *argv)
    assert found & (NEVER | SLOW | {"multiprocessing"}) == set()
