"""A run worked out and carried out: files, arguments, init, workspace, the guard."""

from __future__ import annotations

import io
import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest

from wrapper import world as outside
from wrapper.config import Config
from wrapper.errors import ConfigError, StackError, ToolMissing, UsageError
from wrapper.stacks import Component
from wrapper.terraform import environment, files, guard, running, steps
from wrapper.terraform.invocation import Invocation

# A stand-in that writes its arguments into `calls` of its directory and acts like terraform.
TERRAFORM = """#!/bin/sh
echo "$*" >> calls
case "$1" in
  init) mkdir -p "${TF_DATA_DIR:-.terraform}" ;;
  workspace) [ "$2" = select ] && mkdir -p .terraform && printf %s "$4" > .terraform/environment ;;
  plan) while [ $# -gt 0 ]; do [ "$1" = -out ] && : > "$2"; shift; done ;;
esac
[ ! -f "fail-$1" ] || exit 3
exit 0
"""


class Repository:
    """A repository with one module `c`, a stand-in for terraform, and what a run left behind."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.module = root / "components" / "c"
        self.module.mkdir(parents=True)
        (self.module / "main.tf").write_text('variable "pw" {\n  sensitive = true\n}\n')
        (root / "bin").mkdir()
        program = root / "bin" / "terraform"
        program.write_text(TERRAFORM)
        program.chmod(0o755)
        self.environ = {"PATH": f"{root / 'bin'}:{os.defpath}", "HOME": str(root / "home")}
        self.settings: dict[str, Any] = {"auto_generate_backend_file": True}
        self.section: dict[str, Any] = {
            "vars": {"stage": "dev"},
            "backend_type": "local",
            "backend": {"path": "x.tfstate"},
            "workspace": "dev",
            "command": "terraform",
        }

    @property
    def config(self) -> Config:
        data = {"components": {"terraform": self.settings}}
        components = str(self.root / "components")
        root = str(self.root)
        return Config(data, root, root, "", components, (), (), (), self.environ, "")

    def component(self, name: str = "c", **section: Any) -> Component:
        path = str(self.module)
        info = {"component_info": {"component_path": path}}
        whole = {**self.section, **info, **section}
        return Component(name, "dev", "terraform", whole, "", (), (), "dev")

    def steps(self, subcommand: str, *arguments: str, **fields: Any) -> steps.Steps:
        section = fields.pop("section", {})
        invocation = Invocation("terraform", subcommand, (), "c", "dev", arguments, **fields)
        return steps.prepare(
            self.component(**section), self.config, invocation, self.environ, str(self.root)
        )

    def run(self, subcommand: str, *arguments: str, **fields: Any) -> tuple[int, list[str]]:
        """Carry a run out in a child process; return its exit code and terraform's calls."""
        section = fields.get("section", {})
        planned = self.steps(subcommand, *arguments, **fields)
        calls = self.module / "calls"
        calls.unlink(missing_ok=True)
        pid = os.fork()
        if pid == 0:  # the run may become terraform
            code = 99
            try:
                code = running.carry_out(planned, self.component(**section), quiet_world(self))
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        return code, calls.read_text().splitlines() if calls.exists() else []


def quiet_world(repository: Repository) -> outside.World:
    return outside.real()._replace(
        environ=repository.environ, stdout=io.StringIO(), stderr=io.StringIO()
    )


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path)


INIT = "init"
SELECT = "workspace select -or-create dev"
PLAN = "plan -var-file dev-c.terraform.tfvars.json -out dev-c.planfile"


def test_first_run_inits_and_selects_and_the_second_does_neither(repository: Repository) -> None:
    assert repository.run("plan") == (0, [INIT, SELECT, PLAN])
    assert repository.run("plan") == (0, [PLAN])


def _touch_module(repository: Repository) -> None:
    (repository.module / "main.tf").write_text("# other\n")


def _change_backend(repository: Repository) -> None:
    repository.section["backend"] = {"path": "y.tfstate"}


def _delete_data(repository: Repository) -> None:
    for path in (repository.module / ".terraform").iterdir():
        path.unlink()


def _lock_file(repository: Repository) -> None:
    (repository.module / ".terraform.lock.hcl").write_text("# new\n")


def _binary(repository: Repository) -> None:
    program = repository.root / "bin" / "terraform"
    program.write_text(TERRAFORM + "\n")


def _cli_config(repository: Repository) -> None:
    (repository.root / "home").mkdir(exist_ok=True)
    (repository.root / "home" / ".terraformrc").write_text("disable_checkpoint = true\n")


def _data_dir(repository: Repository) -> None:
    repository.environ["TF_DATA_DIR"] = "elsewhere"


def _moved(repository: Repository) -> None:
    new = repository.module.with_name("d")
    repository.module.rename(new)
    repository.module = new


def _local_module(repository: Repository) -> None:
    (repository.root / "components" / "shared" / "main.tf").write_text("# changed\n")


@pytest.mark.parametrize(
    "change",
    [
        _touch_module,
        _change_backend,
        _delete_data,
        _lock_file,
        _binary,
        _cli_config,
        _data_dir,
        _moved,
        _local_module,
    ],
)
def test_init_runs_again_when_something_it_depends_on_changed(
    repository: Repository, change: Any
) -> None:
    shared = repository.root / "components" / "shared"
    shared.mkdir()
    listing = repository.module / ".terraform" / "modules" / "modules.json"
    listing.parent.mkdir(parents=True)
    listing.write_text(json.dumps({"Modules": [{"Key": "s", "Dir": "../shared"}]}))
    if change is _delete_data:
        listing.unlink()
        listing.parent.rmdir()
    repository.run("plan")
    assert repository.run("plan") == (0, [PLAN])
    change(repository)
    assert repository.run("plan")[1][:1] == [INIT]


def test_a_failed_init_is_tried_again_and_its_code_is_kept(repository: Repository) -> None:
    fail = repository.module / "fail-init"
    fail.touch()
    assert repository.run("plan") == (3, [INIT])
    fail.unlink()
    assert repository.run("plan") == (0, [INIT, SELECT, PLAN])


def test_another_workspace_is_selected_even_when_init_is_skipped(repository: Repository) -> None:
    repository.run("plan")
    (repository.module / ".terraform" / "environment").write_text("prod")
    assert repository.run("plan") == (0, [SELECT, PLAN])
    assert repository.run("plan") == (0, [PLAN])


def test_a_servers_workspace_is_selected_every_time(repository: Repository) -> None:
    section = {"backend_type": "remote", "backend": {"organization": "o"}}
    repository.run("plan", section=section)
    assert repository.run("plan", section=section) == (0, [SELECT, PLAN])


def test_success_of_apply_removes_varfile_and_plan_and_failure_keeps_them(
    repository: Repository,
) -> None:
    varfile = repository.module / "dev-c.terraform.tfvars.json"
    repository.run("plan")
    (repository.module / "fail-apply").touch()
    assert repository.run("apply")[0] == 3
    assert varfile.exists()
    assert (repository.module / "dev-c.planfile").exists()
    (repository.module / "fail-apply").unlink()
    assert repository.run("apply")[0] == 0
    assert not varfile.exists()
    assert not (repository.module / "dev-c.planfile").exists()


def test_files_are_private_and_rewritten_only_when_different(repository: Repository) -> None:
    repository.run("plan")
    written = [repository.module / n for n in ("backend.tf.json", "dev-c.terraform.tfvars.json")]
    before = [path.stat() for path in written]
    repository.run("plan")
    assert [stat.S_IMODE(status.st_mode) for status in before] == [0o600, 0o600]
    assert [path.stat().st_mtime_ns for path in written] == [s.st_mtime_ns for s in before]
    assert json.loads(written[0].read_text()) == {
        "terraform": {"backend": {"local": {"path": "x.tfstate"}}}
    }


def test_a_stale_provider_override_goes(repository: Repository) -> None:
    stale = repository.module / "providers_override.tf.json"
    stale.write_text("{}")
    repository.run("plan")
    assert not stale.exists()


def test_sensitive_variables_go_by_the_environment(repository: Repository) -> None:
    todo = repository.steps("plan", section={"vars": {"pw": {"a": 1}, "stage": "dev"}})
    assert todo.command is not None
    assert todo.command.env["TF_VAR_pw"] == '{"a":1}'
    assert todo.write[0].data == b'{\n  "stage": "dev"\n}\n'


@pytest.mark.parametrize(
    ("subcommand", "arguments", "fields", "expected"),
    [
        ("plan", ("-out=my",), {}, "plan -var-file V -out=my"),
        ("plan", ("-destroy",), {}, "plan -var-file V -out P -destroy"),
        ("deploy", ("-target=x",), {}, "apply -var-file V -target=x -auto-approve"),
        ("apply", ("-lock=false",), {"planfile": "my.plan"}, "apply -lock=false my.plan"),
        ("import", ("a.b", "i-1"), {}, "import -var-file V a.b i-1"),
        ("output", ("-raw", "x"), {}, "output -raw x"),
        ("init", ("-upgrade",), {}, "init -upgrade"),
        ("workspace", (), {"words": ("list",)}, "workspace list"),
        ("workspace", (), {"words": ("new",)}, "workspace new dev"),
    ],
)
def test_the_main_command(
    repository: Repository,
    subcommand: str,
    arguments: tuple[str, ...],
    fields: dict[str, Any],
    expected: str,
) -> None:
    invocation = Invocation("terraform", subcommand, (), "c", "dev", arguments)._replace(**fields)
    todo = steps.prepare(
        repository.component(), repository.config, invocation, repository.environ, "/"
    )
    assert todo.command is not None
    line = " ".join(todo.command.argv[1:])
    short = line.replace("dev-c.terraform.tfvars.json", "V").replace("dev-c.planfile", "P")
    assert short == expected


def test_from_plan_without_a_plan_is_an_error(repository: Repository) -> None:
    with pytest.raises(UsageError, match="there is no planfile"):
        repository.steps("apply", from_plan=True)


@pytest.mark.parametrize(
    ("metadata", "subcommand", "message"),
    [
        ({"type": "abstract"}, "plan", "is abstract"),
        ({"locked": True}, "destroy", "is locked: destroy is not allowed"),
    ],
)
def test_metadata_forbids(
    repository: Repository, metadata: dict[str, Any], subcommand: str, message: str
) -> None:
    with pytest.raises(StackError, match=message):
        repository.steps(subcommand, section={"metadata": metadata})


def test_a_missing_program_is_told_by_who_names_it(repository: Repository) -> None:
    repository.environ["PATH"] = str(repository.root)
    with pytest.raises(ToolMissing, match='the program "terraform" is not there'):
        repository.steps("plan")
    with pytest.raises(ConfigError, match='the program "other" that `command` names'):
        repository.steps("plan", section={"command": "other"})


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"backend_type": ""}, "backend_type is missing"),
        ({"backend_type": "s3", "backend": {}}, "nothing is configured under backend.s3"),
    ],
)
def test_a_backend_that_is_not_configured(
    repository: Repository, section: dict[str, Any], message: str
) -> None:
    with pytest.raises(StackError, match=message):
        repository.steps("plan", section=section)


def test_provider_aliases_become_a_list(repository: Repository) -> None:
    given = {"aws.b": {"region": "2"}, "aws": {"region": "0"}, "aws.a": {"alias": "z"}}
    written = files.providers(repository.component(providers=given))
    assert written is not None
    assert json.loads(written) == {
        "provider": {"aws": [{"region": "0"}, {"alias": "z"}, {"alias": "b", "region": "2"}]}
    }


def test_a_slash_in_a_stack_name_becomes_a_dash(repository: Repository) -> None:
    component = repository.component("x/y")._replace(context_prefix="deploy/eu/dev")
    assert files.names(component, repository.config).varfile == (
        "deploy-eu-dev-y.terraform.tfvars.json"
    )


def test_a_dry_run_shows_the_steps_and_no_value(repository: Repository) -> None:
    assert running.show(repository.steps("plan")) == (
        f"cd {repository.module}\n"
        "# write dev-c.terraform.tfvars.json\n"
        "# write backend.tf.json\n"
        "terraform init\n"
        "terraform workspace select -or-create dev\n"
        f"terraform {PLAN}\n"
    )


def test_the_guard_stops_a_state_that_moved(repository: Repository) -> None:
    config, environ = repository.config, repository.environ
    guard.check(repository.component(), config, environ, "plan")
    moved = repository.component(workspace="other")
    with pytest.raises(StackError) as caught:
        guard.check(moved, config, environ, "plan")
    assert caught.value.message.endswith("\n  workspace: dev -> other")
    guard.check(moved, config, environ, "plan", accept=True)
    guard.check(moved, config, environ, "plan")


@pytest.mark.parametrize(
    ("place", "given", "wins"),
    [
        ("shell", "/mine", True),
        ("config", "/mine", True),
        ("component", "/mine", False),
        ("shell", "", False),
        ("shell", "/", False),
    ],
)
def test_the_users_plugin_cache_wins_but_not_that_of_a_component(
    repository: Repository, place: str, given: str, wins: bool
) -> None:
    config, own = repository.config, {"TF_PLUGIN_CACHE_DIR": given}
    merged = {**repository.environ, **own}
    if place == "shell":
        config = config._replace(environ=merged)
    elif place == "config":
        config = config._replace(data={**config.data, "env": own})
    made = environment.environment(merged, config, "/")
    assert (made["TF_PLUGIN_CACHE_DIR"] == given) is wins
    assert ("TF_PLUGIN_CACHE_MAY_BREAK_DEPENDENCY_LOCK_FILE" in made) is not wins
