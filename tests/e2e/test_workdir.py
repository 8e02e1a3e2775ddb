"""Components with a working directory of their own, and modules that come from a source."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import repository
from tests.fakes import net as fake

MODULE = 'variable "stage" {}\noutput "from" { value = "%s" }\noutput "dir" { value = abspath(path.module) }\n'
LOCAL = "terraform: {backend_type: local, backend: {local: {workspace_dir: states}}}\n"


def stack(components: str) -> dict[str, str]:
    return {
        "stacks/catalog/app.yaml": f"{LOCAL}components:\n  terraform:\n{components}",
        "components/terraform/app/main.tf": MODULE % "module",
    }


OWN = "provision: {workdir: {enabled: true}}"
TWO = f"""\
    one-a: {{metadata: {{component: app}}, {OWN}}}
    two/b: {{metadata: {{component: app}}, {OWN}}}
"""


@pytest.fixture(scope="module")
def net(tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]) -> Iterator[fake.Net]:
    with fake.running(tmp_path_factory.mktemp("net"), tool("git")) as running:
        yield running


@pytest.fixture
def workdirs(cli: Cli, terraform: str) -> Path:
    return cli.cwd / ".workdir" / "terraform"


def outputs(cli: Cli, component: str) -> dict[str, str]:
    done = cli("terraform", "output", component, "-s", "dev", "-json")
    assert done.exit == 0, done.stderr
    return {key: one["value"] for key, one in json.loads(done.stdout).items()}


def deploy(cli: Cli, component: str) -> None:
    done = cli("terraform", "deploy", component, "-s", "dev")
    assert done.exit == 0, done.stdout + done.stderr


def test_components_of_one_module_run_apart(cli: Cli, workdirs: Path) -> None:
    module = repository.write(cli.cwd, stack(TWO))
    running = [
        cli.start("terraform", "deploy", name, "-s", "dev", env={"TF_DATA_DIR": None})
        for name in ("one-a", "two/b")
    ]
    assert [(one.communicate(timeout=60), one.returncode)[1] for one in running] == [0, 0]

    assert outputs(cli, "one-a")["dir"] == str(workdirs / "dev-one-ha")
    assert outputs(cli, "two/b")["dir"] == str(workdirs / "dev-two-sb")
    assert sorted(os.listdir(module)) == ["main.tf"]


def test_what_another_run_is_just_writing_is_not_copied(cli: Cli, workdirs: Path) -> None:
    module = repository.write(cli.cwd, stack(TWO))
    for name in ("dev-app.terraform.tfvars.json.4711.1a2b.tmp", "main.tf.4711.tmp", "notes.tmp"):
        (module / name).write_text("{}")
    deploy(cli, "one-a")
    copied = set(os.listdir(workdirs / "dev-one-ha"))
    assert {name for name in copied if name.endswith(".tmp")} == {"notes.tmp"}


def test_a_change_of_the_module_arrives_and_the_state_stays(cli: Cli, workdirs: Path) -> None:
    module = repository.write(cli.cwd, stack(TWO))
    (module / "gone.tf").write_text('output "gone" { value = 1 }\n')
    deploy(cli, "one-a")
    before = outputs(cli, "one-a")
    assert before["from"] == "module"
    (module / "main.tf").write_text(MODULE % "changed")
    (module / "gone.tf").unlink()
    (workdirs / "dev-one-ha" / "notes.txt").write_text("mine")

    deploy(cli, "one-a")

    assert outputs(cli, "one-a") == {**{k: before[k] for k in ("dir",)}, "from": "changed"}
    assert not (workdirs / "dev-one-ha" / "gone.tf").exists()
    assert (workdirs / "dev-one-ha" / "notes.txt").read_text() == "mine"
    assert list((workdirs / "dev-one-ha").rglob("terraform.tfstate"))


def test_a_second_run_changes_nothing_and_skips_init(cli: Cli, workdirs: Path) -> None:
    repository.write(cli.cwd, stack(TWO))
    deploy(cli, "one-a")
    files = {
        path: path.stat().st_mtime_ns
        for path in workdirs.rglob("*")
        if path.is_file() and "state" not in path.name
    }
    done = cli("terraform", "output", "one-a", "-s", "dev", "-raw", "from")
    assert done == (0, "module", "")
    assert {path: path.stat().st_mtime_ns for path in files if path.exists()} == {
        path: time for path, time in files.items() if path.exists()
    }


def test_the_default_for_all_components_can_be_switched_off(cli: Cli, workdirs: Path) -> None:
    components = """\
    one: {metadata: {component: app}}
    app: {provision: {workdir: {enabled: false}}}
"""
    atmos = repository.ATMOS + "settings: {provision: {workdir: {enabled: true}}}\n"
    module = repository.write(cli.cwd, {**stack(components), "atmos.yaml": atmos})
    deploy(cli, "one")
    deploy(cli, "app")
    assert outputs(cli, "one")["dir"] == str(workdirs / "dev-one")
    assert outputs(cli, "app")["dir"] == str(module)


def test_other_components_read_what_one_put_out(cli: Cli, workdirs: Path) -> None:
    reader = """\
    reader:
      metadata: {component: app}
      vars:
        by_state: !terraform.state one-a from
        by_output: !terraform.output one-a from
"""
    repository.write(cli.cwd, stack(TWO + reader))
    deploy(cli, "one-a")
    done = cli("describe", "component", "reader", "-s", "dev", "--format", "json")
    found = json.loads(done.stdout)["vars"]
    assert (found["by_state"], found["by_output"]) == ("module", "module")


def test_a_dry_run_writes_nothing(cli: Cli, workdirs: Path) -> None:
    repository.write(cli.cwd, stack(TWO))
    done = cli("terraform", "plan", "one-a", "-s", "dev", "--dry-run")
    assert (done.exit, done.stdout.splitlines()[0]) == (0, f"cd {workdirs / 'dev-one-ha'}")
    assert not workdirs.exists()


def source(uri: str, more: str = "") -> str:
    return f"    app:\n      source: {{uri: '{uri}'{more}}}\n"


def test_a_source_fills_the_directory_of_a_component_once(cli: Cli, workdirs: Path) -> None:
    files = stack(source("./modules/one", ", included_paths: ['*.tf'], excluded_paths: ['no.tf']"))
    del files["components/terraform/app/main.tf"]
    for name, text in (("main.tf", MODULE % "source"), ("no.tf", "x"), ("notes.md", "x")):
        files[f"modules/one/{name}"] = text
    module = repository.write(cli.cwd, files)
    (module / "main.tf").unlink()
    module.rmdir()

    deploy(cli, "app")
    assert outputs(cli, "app")["from"] == "source"
    assert not {"no.tf", "notes.md"} & set(os.listdir(module))
    (cli.cwd / "modules/one/main.tf").write_text(MODULE % "later")
    deploy(cli, "app")
    assert outputs(cli, "app")["from"] == "source"


def test_a_source_of_git_is_fetched_after_consent_and_follows_its_version(
    cli: Cli, workdirs: Path, net: fake.Net
) -> None:
    cli.environment |= net.environment()
    address = net.repository("modules", {"vpc/main.tf": MODULE % "first", "vpc/old.tf": ""})
    net.tag(
        "modules", "1.0.0", net.commit("modules", {"vpc/main.tf": MODULE % "1.0", "vpc/o.tf": ""})
    )
    net.tag("modules", "2.0.0", net.commit("modules", {"vpc/main.tf": MODULE % "2.0"}))

    def write(version: str) -> None:
        more = f", version: {version}"
        repository.write(cli.cwd, stack(source(f"git::{address}//vpc", more) + f"      {OWN}\n"))

    write("1.0.0")
    refused = cli("terraform", "plan", "app", "-s", "dev")
    assert (refused.exit, "is not allowed to be fetched" in refused.stderr) == (78, True)
    assert cli("fetch", "--yes").exit == 0
    deploy(cli, "app")
    assert outputs(cli, "app") == {"from": "1.0", "dir": str(workdirs / "dev-app")}
    net.away = True
    assert outputs(cli, "app")["from"] == "1.0"
    net.away = False
    write("2.0.0")
    deploy(cli, "app")
    assert outputs(cli, "app")["from"] == "2.0"
    assert not (workdirs / "dev-app" / "o.tf").exists()
    told = json.loads((workdirs / "dev-app/.atmos/metadata.json").read_text())
    assert (told["source_version"], told["component"]) == ("2.0.0", "app")


def test_an_archive_is_a_source_and_its_subdirectories_are_modules(
    cli: Cli, workdirs: Path, net: fake.Net, tmp_path: Path
) -> None:
    cli.environment |= {**net.environment(), "ATMOS_WRAP_SOURCES": net.url}
    (tmp_path / "x/inner").mkdir(parents=True)
    (tmp_path / "x/inner/main.tf").write_text(MODULE % "archive")
    subprocess.run(["tar", "czf", tmp_path / "m.tgz", "-C", tmp_path, "x"], check=True)
    net.files["/files/m.tgz"] = fake.Answer(body=(tmp_path / "m.tgz").read_bytes())
    metadata = f"      metadata: {{component: inner}}\n      {OWN}\n"
    repository.write(cli.cwd, stack(source(f"{net.url}/files/m.tgz//x") + metadata))
    deploy(cli, "app")
    assert outputs(cli, "app") == {"from": "archive", "dir": str(workdirs / "dev-app/inner")}


def test_a_link_out_of_what_was_fetched_is_refused(cli: Cli, workdirs: Path, net: fake.Net) -> None:
    cli.environment |= {**net.environment(), "ATMOS_WRAP_SOURCES": net.url}
    address = net.repository("links", {"a.tf": ""})
    net.commit("links", {"a.tf": ""}, link="b.tf:/etc/passwd")
    repository.write(cli.cwd, stack(source(f"git::{address}") + f"      {OWN}\n"))
    refused = cli("terraform", "plan", "app", "-s", "dev")
    assert (refused.exit, "b.tf leads out of what was fetched" in refused.stderr) == (78, True)
    assert "stacks/catalog/app.yaml:5:" in refused.stderr
    assert not workdirs.exists()


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("./none", "which is not there"),
        ("s3::https://s3.amazonaws.com/b/k", "s3:: is not fetched"),
        ("http://example.com/m.zip", "is not encrypted"),
    ],
)
def test_what_is_no_source_is_told_with_its_place(
    cli: Cli, workdirs: Path, uri: str, why: str
) -> None:
    repository.write(cli.cwd, stack(source(uri) + f"      {OWN}\n"))
    refused = cli("terraform", "plan", "app", "-s", "dev")
    assert (refused.exit, why in refused.stderr) == (78, True)
    assert "stacks/catalog/app.yaml:5:" in refused.stderr
