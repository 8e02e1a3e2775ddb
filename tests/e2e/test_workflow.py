"""`workflow` and custom commands: which program runs, as whom, and when nothing runs any more."""

from __future__ import annotations

import json
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pexpect
import pytest

from tests.conftest import Cli
from tests.e2e.ends import ended
from tests.fakes import chain

ATMOS = """\
base_path: .
workflows: {base_path: workflows}
stacks: {base_path: stacks, included_paths: ["*"], name_pattern: "{stage}"}
components: {terraform: {base_path: components/terraform}}
env: {TEAM: from-atmos}
auth:
  realm: workflows
  providers: {m: {kind: mock/aws}}
  identities:
    dev: {kind: mock/aws, default: true, via: {provider: m}}
    prod: {kind: mock/aws, via: {provider: m}}
commands:
  - name: show
    identity: prod
    steps: [record one, record two]
  - name: plain
    description: Record without an identity
    steps: [record plain]
  - name: greet
    description: Greet somebody
    arguments:
      - {name: who, description: the person, required: true}
      - {name: mood, default: kindly}
    flags:
      - {name: stack, shorthand: s, required: true}
      - {name: loud, shorthand: l, type: bool, description: in capitals}
      - {name: tone, default: soft}
    env:
      - {key: FIRST, valueCommand: "echo $TEAM"}
      - {key: SECOND, value: "{{ .Arguments.who }}"}
    steps:
      - record {{ .Arguments.who }} {{ .Arguments.mood }} {{ .Flags.stack }} {{ if .Flags.loud }}loud{{ end }} {{ .Flags.tone }} {{ .TrailingArgs }}
  - name: about
    commands:
      - name: app
        flags: [{name: stack}]
        component_config: {component: app, stack: "{{ .Flags.stack }}"}
        steps: ["record {{ .ComponentConfig.vars.size }}"]
  - name: version
    steps: [record shadow]
  - name: fails
    steps: [record before, exit 7, record after]
  - name: retries
    steps:
      - command: record never
        retry: {max_attempts: 3}
"""
WORKFLOWS = """\
workflows:
  mixed:
    description: two identities and none
    env: {COLOR: blue, SIZE: "1"}
    steps:
      - {name: first, command: record first, type: shell, identity: prod, env: {SIZE: "2"}}
      - {name: second, command: record second, type: shell}
  ours:
    stack: dev
    steps:
      - {name: vars, command: "describe component app --query .vars --format json"}
      - {name: as, command: auth whoami -o json, identity: prod}
      - {name: run, command: exec -- record inner, identity: prod}
  fails:
    steps:
      - {name: before, command: record before, type: shell}
      - {name: broken, command: exit 7, type: shell}
      - {name: after, command: record after, type: shell}
  unknown:
    steps:
      - {command: record never, type: shell}
      - {command: record never, type: shell, identity: prd}
  retries:
    steps:
      - command: record never
        type: shell
        retry: {max_attempts: 3}
  asks:
    steps: [{type: confirm, command: sure}]
  there:
    working_directory: stacks
    steps: [{command: record there, type: shell}]
  waits:
    steps:
      - {command: "record ready; echo waiting; exec sleep 60", type: shell}
      - {command: record after, type: shell}
  tidies:
    steps:
      - command: trap 'exit 0' INT; record ready; echo waiting; while :; do sleep 0.1; done
        type: shell
      - {command: record after, type: shell}
"""
RECORD = """\
#!{python}
import json, os, sys
names = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_VAULT", "ATMOS_IDENTITY", "TEAM", "COLOR", "SIZE", "FIRST", "SECOND")
known = {{name: os.environ[name] for name in names if name in os.environ}}
line = {{"argv": sys.argv[1:], "cwd": os.path.basename(os.getcwd()), **known}}
with open({log!r}, "a") as stream:
    stream.write(json.dumps(line) + "\\n")
print("recorded", *sys.argv[1:], flush=True)
"""


@pytest.fixture
def repo(cli: Cli, tool: Callable[[str], str]) -> Path:
    """A repository with workflows and commands; `record` notes what it was started with."""
    tool("bash")
    (cli.cwd / "atmos.yaml").write_text(ATMOS)
    for path, text in {
        "workflows/w.yaml": WORKFLOWS,
        "stacks/dev.yaml": "vars: {stage: dev}\ncomponents: {terraform: {app: {vars: {size: 3}}}}\n",
        "stacks/prod.yaml": "vars: {stage: prod}\ncomponents: {terraform: {app: {vars: {size: 9}}}}\n",
        "components/terraform/app/main.tf": 'variable "size" {}\n',
    }.items():
        (cli.cwd / path).parent.mkdir(parents=True, exist_ok=True)
        (cli.cwd / path).write_text(text)
    record = Path(cli.environment["PATH"].partition(os.pathsep)[0]) / "record"
    record.write_text(RECORD.format(python=sys.executable, log=str(cli.cwd / "log")))
    record.chmod(0o755)
    return cli.cwd


def ran(repo: Path) -> list[dict[str, Any]]:
    """Return what `record` noted, in order."""
    log = repo / "log"
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


def as_whom(repo: Path) -> list[tuple[str, str | None]]:
    """Return first argument and AWS profile of each run."""
    return [(line["argv"][0], line.get("AWS_PROFILE")) for line in ran(repo)]


# ---- workflows ------------------------------------------------------------------------------------


def test_each_step_runs_as_its_identity_and_one_without_as_the_shell_is(
    cli: Cli, repo: Path
) -> None:
    shell = {"AWS_PROFILE": "shells", "ATMOS_IDENTITY": None}
    done = cli("workflow", "mixed", "-f", "w", env=shell)
    assert (done.exit, done.stderr) == (0, "")
    place = repo.name
    assert ran(repo) == [
        {
            "argv": ["first"], "cwd": place, "AWS_PROFILE": "prod", "ATMOS_IDENTITY": "prod",
            "TEAM": "from-atmos", "COLOR": "blue", "SIZE": "2",
        },
        {
            "argv": ["second"], "cwd": place, "AWS_PROFILE": "shells",
            "TEAM": "from-atmos", "COLOR": "blue", "SIZE": "1",
        },
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("words", "variable", "second"),
    [
        (("-i", "dev"), None, "dev"),
        ((), "dev", "dev"),
        (("-i", "dev"), "prod", "dev"),
        (("--identity=off",), "dev", None),
    ],
)
def test_the_command_lines_identity_is_for_steps_that_name_none(
    cli: Cli, repo: Path, words: tuple[str, ...], variable: str | None, second: str | None
) -> None:
    done = cli("workflow", "mixed", "-f", "w", *words, env={"ATMOS_IDENTITY": variable})
    assert (done.exit, as_whom(repo)) == (0, [("first", "prod"), ("second", second)])


def test_an_atmos_step_is_run_by_this_program_with_the_steps_stack_and_identity(
    cli: Cli, repo: Path
) -> None:
    done = cli("workflow", "ours")
    assert (done.exit, done.stderr) == (0, "")
    values, end = json.JSONDecoder().raw_decode(done.stdout)
    assert values == {"size": 3, "stage": "dev"}
    assert '"prod"' in done.stdout[end:]
    assert as_whom(repo) == [("inner", "prod")]


def test_the_command_lines_stack_wins_over_the_workflows(cli: Cli, repo: Path) -> None:
    done = cli("workflow", "ours", "-s", "prod")
    assert json.JSONDecoder().raw_decode(done.stdout)[0] == {"size": 9, "stage": "prod"}


def test_an_atmos_step_reads_the_configuration_of_the_flags(cli: Cli, repo: Path) -> None:
    (repo / "elsewhere").mkdir()
    (repo / "elsewhere" / "dev.yaml").write_text(
        "vars: {stage: dev}\ncomponents: {terraform: {app: {vars: {size: 77}}}}\n"
    )
    done = cli("workflow", "ours", "--stacks-dir", "elsewhere")
    assert json.JSONDecoder().raw_decode(done.stdout)[0] == {"size": 77, "stage": "dev"}


def test_terraform_runs_as_a_step(cli: Cli, repo: Path, terraform: str) -> None:
    steps = "{steps: [{command: terraform apply app -auto-approve, stack: prod, identity: prod}]}"
    (repo / "workflows" / "tf.yaml").write_text(f"workflows: {{up: {steps}}}\n")
    (repo / "components/terraform/app/main.tf").write_text(
        'variable "size" {}\nvariable "stage" {}\n'
        'resource "terraform_data" "app" {\n  provisioner "local-exec" {\n'
        '    command = "record ${var.stage} ${var.size}"\n  }\n}\n'
    )
    done = cli("workflow", "up")
    assert done.exit == 0, done.stderr
    assert [(line["argv"], line["AWS_PROFILE"]) for line in ran(repo)] == [(["prod", "9"], "prod")]


def test_a_step_that_fails_ends_the_workflow_with_its_exit_code(cli: Cli, repo: Path) -> None:
    done = cli("workflow", "fails")
    assert (done.exit, as_whom(repo)) == (7, [("before", None)])
    assert 'step "broken" of workflow "fails" failed with exit code 7' in done.stderr
    assert "atmos-wrap workflow fails -f w.yaml --from-step broken" in done.stderr


def test_a_workflow_begins_with_the_step_that_is_named(cli: Cli, repo: Path) -> None:
    done = cli("workflow", "fails", "-f", "w", "--from-step", "after")
    assert (done.exit, as_whom(repo)) == (0, [("after", None)])
    missing = cli("workflow", "fails", "--from-step", "aftr")
    assert (missing.exit, 'did you mean "after"?' in missing.stderr) == (64, True)


def test_dry_run_shows_the_steps_and_runs_none(cli: Cli, repo: Path) -> None:
    assert cli("workflow", "mixed", "--dry-run", "-i", "dev").stdout == (
        "# first, identity prod\nrecord first\n# second, identity dev\nrecord second\n"
    )
    assert cli("workflow", "ours", "--dry-run").stdout.splitlines()[:2] == [
        "# vars",
        "atmos-wrap describe component app --query .vars --format json -s dev",
    ]
    assert ran(repo) == []


def test_a_shell_step_runs_in_the_workflows_directory(cli: Cli, repo: Path) -> None:
    assert cli("workflow", "there").exit == 0
    assert ran(repo)[0]["cwd"] == "stacks"


@pytest.mark.parametrize(
    ("name", "code", "told"),
    [
        ("unknown", 78, ('identity "prd" is not defined', 'did you mean "prod"?')),
        ("retries", 78, ("step 1: `retry` is not supported", "workflows/w.yaml:27:9")),
        ("asks", 78, ("the type `confirm` is not supported", "workflows/w.yaml:29:14")),
        ("mixd", 64, ('there is no workflow "mixd"', 'did you mean "mixed"?')),
        ("", 64, ("no workflow named", "there are: asks, fails")),
    ],
)
def test_a_workflow_that_cannot_be_run_as_it_is_written_runs_no_step(
    cli: Cli, repo: Path, name: str, code: int, told: tuple[str, ...]
) -> None:
    done = cli("workflow", *([name] if name else []))
    assert (done.exit, [text for text in told if text not in done.stderr]) == (code, [])
    assert ran(repo) == []


def test_a_name_in_several_files_needs_the_file(cli: Cli, repo: Path) -> None:
    (repo / "workflows" / "more.yml").write_text(WORKFLOWS)
    done = cli("workflow", "mixed")
    assert (done.exit, "is in several files: more.yml, w.yaml" in done.stderr) == (64, True)
    assert cli("workflow", "mixed", "-f", "more").exit == 0


@pytest.mark.parametrize("name", ["waits", "tidies"])
def test_ctrl_c_ends_the_step_and_the_workflow(cli: Cli, repo: Path, name: str) -> None:
    run = pexpect.spawn(
        cli.program,
        ["workflow", name],
        cwd=str(repo),
        env=cli.child_environment(None),
        timeout=60,
        encoding="utf-8",
    )
    run.expect("waiting")
    run.sendintr()
    ended(run)
    assert (run.exitstatus, as_whom(repo)) == (128 + signal.SIGINT, [("ready", None)])


CLOUD = """\
workflows: {base_path: workflows}
commands:
  - name: who
    identity: deploy
    steps: [record who, aws sts get-caller-identity --query Arn --output text]
"""
IN_CLOUD = """\
workflows:
  who:
    steps:
      - {command: record who, type: shell, identity: deploy}
      - {command: "aws sts get-caller-identity --query Arn --output text", type: shell, identity: hub}
"""


@pytest.mark.parametrize(("word", "last"), [("workflow", "hub"), ("who", "deploy")])
def test_a_steps_program_signs_as_the_steps_identity_and_sees_no_key_of_the_shell(
    cli: Cli, repo: Path, make_chain: chain.Make, tool: Callable[[str], str], word: str, last: str
) -> None:
    make_chain()
    (repo / "atmos.yaml").write_text((repo / "atmos.yaml").read_text() + CLOUD)
    (repo / "workflows" / "w.yaml").write_text(IN_CLOUD)
    (repo.parent / "bin" / "aws").symlink_to(Path(cli.program).with_name("aws"))
    shell = {"AWS_ACCESS_KEY_ID": "AKIAOFTHESHELL", "AWS_VAULT": "somebody"}
    done = cli(*([word, "who"] if word == "workflow" else [word]), env=shell)
    assert (done.exit, done.stderr) == (0, "")
    assert f"assumed-role/{last}/alice-{last}" in done.stdout
    assert ran(repo) == [
        {"argv": ["who"], "cwd": repo.name, "AWS_PROFILE": "deploy", "ATMOS_IDENTITY": "deploy"}
    ]


# ---- custom commands ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "variable", "whom"),
    [
        (("show",), None, [("one", "prod"), ("two", "prod")]),
        (("show", "-i", "dev"), None, [("one", "dev"), ("two", "dev")]),
        (("show",), "dev", [("one", "prod"), ("two", "prod")]),
        (("plain",), None, [("plain", None)]),
        (("plain", "--identity", "dev"), None, [("plain", "dev")]),
        (("plain",), "dev", [("plain", "dev")]),
        (("plain", "--identity=off"), "dev", [("plain", None)]),
    ],
)
def test_a_command_runs_as_its_identity_unless_the_flag_names_another(
    cli: Cli,
    repo: Path,
    words: tuple[str, ...],
    variable: str | None,
    whom: list[tuple[str, str | None]],
) -> None:
    done = cli(*words, env={"ATMOS_IDENTITY": variable})
    assert (done.exit, done.stderr, as_whom(repo)) == (0, "", whom)


def test_a_command_that_names_an_identity_does_not_run_without_one(cli: Cli, repo: Path) -> None:
    done = cli("show", "--identity=off")
    assert (done.exit, ran(repo)) == (78, [])
    assert 'the command `show` runs as "prod", not without an identity' in done.stderr
    assert "atmos.yaml:14:5" in done.stderr


def test_arguments_flags_and_variables_reach_the_steps(cli: Cli, repo: Path) -> None:
    done = cli("greet", "alice", "-s", "dev", "--tone", "flat", "-l", "--", "a b", "--loud")
    assert (done.exit, done.stderr) == (0, "")
    assert ran(repo) == [
        {
            "argv": ["alice", "kindly", "dev", "loud", "flat", "a b", "--loud"],
            "cwd": repo.name,
            "TEAM": "from-atmos",
            "FIRST": "from-atmos",
            "SECOND": "alice",
        }
    ]


def test_a_command_below_another_reads_its_component(cli: Cli, repo: Path) -> None:
    done = cli("about", "app", "-s", "prod")
    assert (done.exit, done.stderr, ran(repo)[0]["argv"]) == (0, "", ["9"])


@pytest.mark.parametrize(
    ("words", "code", "told"),
    [
        (("greet", "-s", "dev"), 64, "the argument who is missing"),
        (("greet", "alice"), 64, "the flag --stack is required"),
        (("greet", "a", "b", "c", "-s", "dev"), 64, 'unexpected argument "c"'),
        (("greet", "a", "-s", "dev", "--lud"), 64, "unknown flag: --lud"),
        (("about", "ap"), 64, 'did you mean "app"?'),
        (("retries",), 78, "step 1: `retry` is not supported"),
        (("nowhere",), 64, 'unknown command "nowhere"'),
    ],
)
def test_a_command_that_is_called_or_written_wrong_runs_no_step(
    cli: Cli, repo: Path, words: tuple[str, ...], code: int, told: str
) -> None:
    done = cli(*words)
    assert (done.exit, told in done.stderr, ran(repo)) == (code, True, [])


def test_a_step_of_a_command_that_fails_is_the_last(cli: Cli, repo: Path) -> None:
    assert (cli("fails").exit, as_whom(repo)) == (7, [("before", None)])


def test_a_command_never_shadows_one_of_the_program(cli: Cli, repo: Path) -> None:
    done = cli("version")
    assert (done.exit, "recorded" in done.stdout, ran(repo)) == (0, False, [])


def test_help_tells_what_a_command_takes(cli: Cli, repo: Path) -> None:
    assert cli("greet", "--help").stdout == (
        "Usage: atmos-wrap greet [FLAGS] [ARGUMENTS]\n\nGreet somebody\n\n"
        "Arguments:\n  who   the person\n  mood\n\n"
        "Flags:\n  -s, --stack\n  -l, --loud   in capitals\n      --tone\n"
    )
    assert "Commands:\n  app\n" in cli("about").stdout


def test_commands_of_an_imported_file_are_merged_by_name(cli: Cli, repo: Path) -> None:
    more = "commands:\n  - {name: plain, steps: [record lower]}\n  - {name: extra, steps: [record extra]}\n"
    (repo / "more.yaml").write_text(more)
    (repo / "atmos.yaml").write_text("import: [more.yaml]\n" + ATMOS)
    assert (cli("plain").exit, cli("extra").exit) == (0, 0)
    assert [line["argv"] for line in ran(repo)] == [["plain"], ["extra"]]
