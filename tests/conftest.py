"""What tests share: an environment that owes nothing to the machine, the installed program, a cloud."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import hypothesis
import pytest

from tests.fakes import aws, portal

# In CI the same examples each time: what is new is looked for by `make fuzz` and on users' machines.
hypothesis.settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    hypothesis.settings.load_profile("ci")
# A job in the background of a script is started without ctrl-C, and so are those that it starts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

# Tests of clouds, clients, shells, browsers, kernels and pages: `-m "not once"` leaves them to one Python.
ONCE = (
    "test_affected", "test_affected_runs", "test_answers", "test_auth_shell", "test_browser",
    "test_clean", "test_clients", "test_complete_around", "test_complete_identities",
    "test_complete_shells",
    "test_console", "test_delivery", "test_direnv", "test_docs", "test_fault_classes",
    "test_faults", "test_file_keyring", "test_fleet", "test_fuzz", "test_generate", "test_hook",
    "test_hook_below", "test_hook_canaries", "test_hook_chains", "test_hook_clients",
    "test_hook_history", "test_hook_moves", "test_hook_stacks", "test_hostile", "test_keyring",
    "test_killed", "test_links", "test_list_files", "test_logout", "test_mfa", "test_mise",
    "test_oidc", "test_parallel_sso", "test_prompt", "test_provision_backend", "test_regions",
    "test_remote_imports", "test_remote_states", "test_rules_aws", "test_run_hooks",
    "test_run_stores", "test_saml", "test_sso", "test_sso_files", "test_start_files",
    "test_start_quiet", "test_state_damage", "test_state_files", "test_stores",
    "test_template_places", "test_terraform_storage", "test_user_sources", "test_workdir",
    "test_workflow", "test_workflows", "test_workspaces",
)  # fmt: skip
KEPT = ("PATH", "TMPDIR", "CI", "PYTEST_", "COVERAGE_", "HYPOTHESIS_")


class Result(NamedTuple):
    """How a run of the program ended."""

    exit: int
    stdout: str
    stderr: str


class Cli:
    """The installed `atmos-wrap` as a child, under exactly the environment it is given."""

    def __init__(self, environment: dict[str, str], cwd: Path) -> None:
        self.program = str(Path(sys.executable).parent / "atmos-wrap")
        self.environment = environment
        self.cwd = cwd

    def __call__(
        self,
        *args: str,
        env: Mapping[str, str | None] | None = None,
        cwd: Path | None = None,
        stdin: str = "",
        timeout: float = 120.0,
    ) -> Result:
        """Run it to its end. `env` is laid over the environment; None removes a variable."""
        done = subprocess.run(
            [self.program, *args],
            env=self.child_environment(env),
            cwd=cwd or self.cwd,
            input=stdin,
            capture_output=True,
            text=True,
            timeout=timeout,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    def start(
        self, *args: str, env: Mapping[str, str | None] | None = None, cwd: Path | None = None
    ) -> subprocess.Popen[str]:
        """Start it in a process group of its own; the caller waits for it."""
        return subprocess.Popen(
            [self.program, *args],
            env=self.child_environment(env),
            cwd=cwd or self.cwd,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def child_environment(self, env: Mapping[str, str | None] | None) -> dict[str, str]:
        """Return the environment of a child."""
        merged = {**self.environment, **(env or {})}
        return {name: value for name, value in merged.items() if value is not None}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests of ONCE; let the slow ones begin, so that no worker waits for them at the end."""
    for item in items:
        if item.path.stem in ONCE:
            item.add_marker("once")
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


@pytest.fixture(autouse=True)
def bare_environment(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Nothing of the machine's settings (cloud keys, proxies, profiles) is seen by a test."""
    for name in list(os.environ):
        if not name.startswith(KEPT):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.setenv("LANG", "C.UTF-8")
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def home(bare_environment: None) -> Path:
    """An empty home directory."""
    return Path(os.environ["HOME"])


@pytest.fixture(scope="session")
def tool() -> Callable[[str], str]:
    """Find a program; a missing one fails on a build machine and skips elsewhere."""
    path = os.environ.get("PATH", os.defpath)

    def find(name: str) -> str:
        found = shutil.which(name, path=path)
        if found is None:
            reason = f"{name} is not installed"
            pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
        return found

    return find


@pytest.fixture
def environment(home: Path, tmp_path: Path) -> dict[str, str]:
    """The whole environment of a child, without terraform."""
    binaries, scratch = tmp_path / "bin", tmp_path / "tmp"
    binaries.mkdir()
    scratch.mkdir()
    return {
        "HOME": str(home),
        "PATH": os.pathsep.join([str(binaries), os.defpath]),
        "TMPDIR": str(scratch),
        "LANG": "C.UTF-8",
        "TZ": "UTC",
        "TERM": "dumb",
        "NO_COLOR": "1",
        "CHECKPOINT_DISABLE": "1",
    }


@pytest.fixture
def terraform(environment: dict[str, str], tool: Callable[[str], str]) -> str:
    """Put the real terraform into the children's PATH."""
    link = Path(environment["PATH"].partition(os.pathsep)[0], "terraform")
    link.symlink_to(tool("terraform"))
    return str(link)


@pytest.fixture
def cli(environment: dict[str, str], tmp_path: Path) -> Cli:
    """The installed program; its working directory is `tmp_path / "repo"`."""
    repo = tmp_path / "repo"
    repo.mkdir(exist_ok=True)
    return Cli(environment, repo)


@pytest.fixture
def fake_aws() -> Iterator[aws.Fake]:
    """A fresh AWS on loopback."""
    with aws.running() as fake:
        yield fake


@pytest.fixture
def sso_portal() -> Iterator[portal.Portal]:
    """Return a loopback IAM Identity Center."""
    with portal.running() as found:
        yield found
