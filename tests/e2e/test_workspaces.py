"""Two stacks share one component directory; each only ever meets its own state."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository

STACKS = ("dev", "prod")
PLAN = ("-detailed-exitcode", "-no-color")


@pytest.fixture
def module(cli: Cli, terraform: str) -> Path:
    """Both stacks applied, dev last; returns the module's directory."""
    module = repository.write(cli.cwd)
    for stack in ("prod", "dev"):
        assert cli("terraform", "deploy", "app", "-s", stack).exit == 0
    return module


def _states(module: Path, folders: Mapping[str, str]) -> dict[str, dict[str, str]]:
    """Return the outputs in each stack's state."""
    found = {}
    for stack, folder in folders.items():
        text = (module / folder / stack / "terraform.tfstate").read_text()
        found[stack] = {name: one["value"] for name, one in json.loads(text)["outputs"].items()}
    return found


def _own(stacks: tuple[str, ...]) -> dict[str, dict[str, str]]:
    return {stack: {"app": f"shop-{stack}", "workspace": stack} for stack in stacks}


OWN = _own(STACKS)


def test_stacks_take_turns_in_a_directory(cli: Cli, module: Path) -> None:
    for stack in (*STACKS, *STACKS):
        done = cli("terraform", "plan", "app", "-s", stack, *PLAN)
        assert (done.exit, "No changes." in done.stdout) == (0, True)
    assert _states(module, dict.fromkeys(STACKS, "states")) == OWN


def _select_another(cli: Cli, module: Path) -> None:
    subprocess.run(
        ["terraform", "workspace", "select", "prod"],
        cwd=module,
        env=cli.environment,
        check=True,
        capture_output=True,
        timeout=60,
    )


def _delete_the_record(cli: Cli, module: Path) -> None:
    (module / ".terraform" / "environment").unlink()


def _name_one_that_is_not_there(cli: Cli, module: Path) -> None:
    (module / ".terraform" / "environment").write_text("gone")


def _delete_the_data(cli: Cli, module: Path) -> None:
    shutil.rmtree(module / ".terraform")


def _delete_the_data_of_the_other(cli: Cli, module: Path) -> None:
    shutil.rmtree(module / "states" / "prod")


def _run_another_stack(cli: Cli, module: Path) -> None:
    assert cli("terraform", "output", "app", "-s", "prod").exit == 0


@pytest.mark.parametrize(
    "meddle",
    [
        _select_another,
        _delete_the_record,
        _name_one_that_is_not_there,
        _delete_the_data,
        _delete_the_data_of_the_other,
        _run_another_stack,
    ],
)
def test_whatever_happened_in_between_a_run_has_its_own_workspace(
    cli: Cli, module: Path, meddle: object
) -> None:
    assert callable(meddle)
    meddle(cli, module)
    done = cli("terraform", "plan", "app", "-s", "dev", *PLAN)
    assert (done.exit, "No changes." in done.stdout) == (0, True)


def test_a_workspace_deleted_behind_our_back_comes_back_empty(cli: Cli, module: Path) -> None:
    shutil.rmtree(module / "states" / "dev")
    done = cli("terraform", "plan", "app", "-s", "dev", *PLAN)
    assert (done.exit, "Plan: 2 to add, 0 to change, 0 to destroy." in done.stdout) == (2, True)
    assert 'workspace = "dev"' in done.stdout


@pytest.mark.parametrize("apart", [False, True], ids=["one backend", "a backend each"])
def test_parallel_runs_of_several_stacks_never_meet(cli: Cli, terraform: str, apart: bool) -> None:
    # Each once: Terraform itself may fail where two runs lock one local state.
    stacks = (*STACKS, "demo", "load", "stage", "test")
    folders = {stack: f"states-{stack}" if apart else "states" for stack in stacks}
    more = {
        f"stacks/deploy/{stack}.yaml": repository.STACK.format(stage=stack)
        + f"terraform:\n  backend:\n    local: {{workspace_dir: {folders[stack]}}}\n"
        for stack in stacks
    }
    atmos = repository.ATMOS.replace("file: true", "file: true\n    init_run_reconfigure: true")
    module = repository.write(cli.cwd, {**more, "atmos.yaml": atmos})
    line = ("terraform", "apply", "app", "-auto-approve", "-no-color", "-s")
    runs = [cli.start(*line, stack) for stack in stacks]
    ends = [run.communicate(timeout=90) for run in runs]
    errors = "\n".join(told for run, (_, told) in zip(runs, ends, strict=True) if run.returncode)
    assert [run.returncode for run in runs] == [0] * len(stacks), errors
    assert _states(module, folders) == _own(stacks)
    assert sorted(path.name for path in module.glob("states*/*")) == sorted(stacks)


def test_a_waiting_run_says_for_whom(cli: Cli, module: Path, tmp_path: Path) -> None:
    began = tmp_path / "began"
    again = ("-replace=terraform_data.app", f"-var=hold={began}", "-auto-approve", "-no-color")
    first = cli.start("terraform", "apply", "app", "-s", "dev", *again)
    try:
        while not began.exists():
            assert first.poll() is None
            time.sleep(0.02)
        same = cli("terraform", "state", "list", "app", "-s", "dev", "-no-color", timeout=60)
        second = cli.start("terraform", "output", "app", "-s", "prod", "-raw", "app")
        assert second.stderr is not None
        told = second.stderr.readline()
        first.terminate()
        first.communicate(timeout=60)
        output, _ = second.communicate(timeout=60)
    finally:
        first.kill()
    assert same == (0, "terraform_data.known\n", "")
    assert re.sub(r"\d+", "N", told) == (
        f"waiting for another run in {re.sub(r'[0-9]+', 'N', str(module))}: "
        "terraform apply for app in dev (pid N)\n"
    )
    assert output == "shop-prod"


def _change_the_module(cli: Cli, module: Path) -> dict[str, str]:
    (module / "more.tf").write_text('output "more" { value = 1 }\n')
    return {}


def _forget_the_data(cli: Cli, module: Path) -> dict[str, str]:
    shutil.rmtree(module / ".terraform")
    return {}


def _other_data(cli: Cli, module: Path) -> dict[str, str]:
    return {"TF_DATA_DIR": ".other"}


def _other_settings(cli: Cli, module: Path) -> dict[str, str]:
    Path(cli.environment["HOME"], ".terraformrc").write_text("disable_checkpoint = true\n")
    return {}


@pytest.mark.parametrize(
    "change", [_change_the_module, _forget_the_data, _other_data, _other_settings]
)
def test_init_runs_when_something_changed_and_only_then(
    cli: Cli, module: Path, change: object
) -> None:
    assert callable(change)
    output = ("terraform", "output", "app", "-s", "dev", "-raw", "app")
    assert cli(*output) == (0, "shop-dev", "")
    env = change(cli, module)
    first, second = cli(*output, env=env), cli(*output, env=env)
    assert (first.exit, first.stdout) == (second.exit, second.stdout) == (0, "shop-dev")
    told = "Terraform has been successfully initialized!"
    assert (told in first.stderr, told in second.stderr) == (True, False)


def test_a_state_that_moved_stops_the_run_before_terraform(cli: Cli, module: Path) -> None:
    catalog = cli.cwd / "stacks/catalog/app.yaml"
    catalog.write_text(catalog.read_text().replace("states", "elsewhere"))
    done = cli("terraform", "apply", "app", "-s", "dev", "-auto-approve")
    assert (done.exit, done.stdout) == (78, "")
    assert done.stderr == (
        'error: the state of "app" in the stack "dev" would be in another place than at the last run:\n'
        "  workspace_dir: states -> elsewhere\n"
        "  at stacks/catalog/app.yaml:4:13\n"
        "hint: move the state first, or say --accept-state-change if it is right\n"
    )
    accepted = cli("terraform", "plan", "app", "-s", "dev", "--accept-state-change", *PLAN)
    assert (accepted.exit, "Backend configuration changed" in accepted.stderr) == (1, True)
    catalog.write_text(catalog.read_text().replace("elsewhere", "states"))
    assert cli("terraform", "plan", "app", "-s", "prod", *PLAN).exit == 0


def test_a_provider_override_of_another_stack_is_not_left_behind(cli: Cli, module: Path) -> None:
    override = module / "providers_override.tf.json"
    override.write_text('{"provider": {"nobody/knows": {}}}')
    done = cli("terraform", "plan", "app", "-s", "dev", *PLAN)
    assert (done.exit, override.exists()) == (0, False)
