"""What `terraform clean` deletes, and what it never does."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository

LEFT = (".terraform/x", ".terraform.lock.hcl", "dev-app.terraform.tfvars.json", "own.tfvars.json")
SECTION = """\
import:
  - catalog/app
vars: {stage: dev}
components:
  terraform:
    app:
      generate: {../other/main.tf: a, made.txt: b, OUTSIDE: c}
"""


def _write(root: Path, *names: str) -> None:
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


@pytest.fixture
def root(cli: Cli) -> Path:
    flag = "    auto_generate_backend_file: true\n"
    atmos = repository.ATMOS.replace(flag, flag + "    auto_generate_files: true\n")
    section = SECTION.replace("OUTSIDE", str(cli.cwd / "outside"))
    repository.write(cli.cwd, {"atmos.yaml": atmos, "stacks/deploy/dev.yaml": section})
    _write(cli.cwd, "outside")
    return cli.cwd / "components" / "terraform"


def _files(root: Path) -> set[str]:
    return {str(path.relative_to(root)) for path in root.rglob("*") if path.is_file()}


def test_nothing_outside_of_the_directory_is_deleted(cli: Cli, root: Path) -> None:
    _write(root, "other/main.tf", "app/made.txt", "app/data/x")
    for data in (".", "..", "../other", str(root)):
        done = cli("terraform", "clean", "app", "-s", "dev", "--force", env={"TF_DATA_DIR": data})
        assert (done.exit, (cli.cwd / "outside").exists()) == (0, True), done.stderr
        assert {"other/main.tf", "app/main.tf"} <= _files(root)
    assert "app/made.txt" not in _files(root)
    asked = ("terraform", "clean", "app", "-s", "dev", "--force")
    assert cli(*asked, env={"TF_DATA_DIR": "data"}).exit == 0
    assert "app/data/x" not in _files(root)


def test_without_a_component_only_the_directories_of_components_are_cleaned(
    cli: Cli, root: Path
) -> None:
    # A module that no stack has, and what is kept below a component, such as its tests.
    kept = [f"{place}/{name}" for place in ("spare", "app/tests") for name in LEFT]
    _write(root, *kept, *(f"app/{name}" for name in LEFT), "app/terraform.tfstate.d/dev/s.tfstate")
    assert cli("terraform", "clean", "--force").exit == 0
    assert _files(root) == {"app/main.tf", *kept}
