"""`hooks` and `retry` of components, with the real terraform."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.e2e import repository


@pytest.fixture
def run(cli: Cli, terraform: str) -> Cli:
    return cli


def write(cli: Cli, section: str, more: dict[str, str] | None = None) -> Path:
    body = "".join(f"      {line}\n" for line in section.splitlines())
    return repository.write(
        cli.cwd, {"stacks/catalog/app.yaml": repository.CATALOG + body, **(more or {})}
    )


def hook(name: str, events: str, script: str, more: str = "") -> str:
    shell = f"command: sh, args: [-c, {json.dumps(script)}]"
    return f"  {name}: {{kind: command, events: [{events}], {shell}{more}}}\n"


def said(done: Result) -> list[str]:
    """Return what hooks printed."""
    return [line[1:] for line in done.stdout.splitlines() if line.startswith(">")]


def test_hooks_follow_their_events_in_the_order_written(run: Cli) -> None:
    section = "hooks:\n" + "".join(
        hook(name, events, f"echo '>{name}'")
        for name, events in (
            ("z", "before.terraform.plan"),
            ("b", "after-terraform-plan"),
            ("a", "after.terraform.plan, after.terraform.apply"),
            ("d", "before.terraform.deploy"),
            ("i", "before.terraform.init"),
        )
    )
    section += "  any: {kind: command, command: echo, args: ['>any']}\n"
    write(run, section)

    assert said(run("terraform", "plan", "app", "-s", "dev")) == ["z", "any", "b", "a", "any"]
    assert said(run("terraform", "deploy", "app", "-s", "dev")) == ["d", "any", "a", "any"]
    assert said(run("terraform", "output", "app", "-s", "dev")) == []
    assert said(run("terraform", "init", "app", "-s", "dev")) == ["i", "any", "any"]


def test_a_hook_knows_component_stack_outcome_and_the_plan(run: Cli) -> None:
    script = (
        'test -f "$ATMOS_PLANFILE" && terraform version >/dev/null && '
        'echo ">$ATMOS_COMPONENT $ATMOS_STACK $ATMOS_HOOK_STATUS $ATMOS_HOOK_EXIT_CODE '
        '{{ .vars.name }} {{ .status }} $X"; pwd; echo "# seen" > "$ATMOS_OUTPUT_FILE"'
    )
    env = ', format: markdown, env: {X: "$ATMOS_STACK-x"}'
    module = write(run, "hooks:\n" + hook("one", "after.terraform.plan", script, env))

    done = run("terraform", "plan", "app", "-s", "dev")

    assert said(done) == ["app dev success 0 shop success dev-x"]
    assert f"\n{module}\n" in done.stdout
    assert "# seen\n" in done.stderr


def test_when_says_after_which_end_a_hook_runs(run: Cli) -> None:
    section = "hooks:\n" + "".join(
        hook(name, "after.terraform.plan", f"echo '>{name} {{{{ .status }}}}'", f", when: {when}")
        for name, when in (
            ("always", "always"), ("failed", "failure"), ("ci", "[ci, always]"),
            ("here", "{all: [local, failure]}"), ("never", "never"), ("not", "{not: ci}"),
        )
    )  # fmt: skip
    module = write(run, section + hook("plain", "after.terraform.plan", "echo '>plain'"))

    assert said(run("terraform", "plan", "app", "-s", "dev")) == [
        "always success", "not success", "plain",
    ]  # fmt: skip
    (module / "main.tf").write_text(repository.MODULE + 'output "no" { value = nothing.at.all }\n')
    failed = run("terraform", "plan", "app", "-s", "dev", env={"CI": "1"})
    assert failed.exit == 1
    assert said(failed) == ["always failure", "failed failure", "ci failure"]
    assert said(run("terraform", "plan", "app", "-s", "dev")) == [
        "always failure", "failed failure", "here failure",
    ]  # fmt: skip
    changes = run("terraform", "plan", "app", "-s", "dev", "-detailed-exitcode")
    assert changes.exit == 1


@pytest.mark.parametrize(
    ("mode", "exit_code", "told"),
    [("warn", 0, "warning: hook one: sh ended with exit code 7"), ("ignore", 0, ""),
     ("fail", 7, "error: hook one: sh ended with exit code 7")],
)  # fmt: skip
def test_a_failing_hook_warns_stops_or_says_nothing(
    run: Cli, mode: str, exit_code: int, told: str
) -> None:
    more = f", on_failure: {mode}"
    section = "hooks:\n" + hook("one", "before.terraform.plan", "exit 7", more)
    write(run, section + hook("two", "after.terraform.plan", "echo '>two'"))

    done = run("terraform", "plan", "app", "-s", "dev")

    assert done.exit == exit_code
    assert said(done) == (["two"] if exit_code == 0 else [])
    assert ("Plan:" in done.stdout) == (exit_code == 0)
    assert told in done.stderr
    assert ("hook one" in done.stderr) == bool(told)


def test_hooks_can_be_left_out(run: Cli) -> None:
    section = "hooks:\n" + hook("one", "after.terraform.plan", "echo '>one'")
    write(run, section + hook("two", "after.terraform.plan", "echo '>two'"))
    plan = ("terraform", "plan", "app", "-s", "dev")
    assert said(run(*plan, "--skip-hooks")) == []
    assert said(run(*plan, "--skip-hooks=one,other")) == ["two"]
    assert said(run(*plan, env={"ATMOS_SKIP_HOOKS": "true"})) == []
    assert said(run(*plan, "--skip-hooks=false")) == ["one", "two"]


def test_a_program_that_is_missing_is_told_before_terraform_runs(run: Cli) -> None:
    module = write(run, "hooks:\n  one: {kind: command, command: no-such-program}\n")
    done = run("terraform", "plan", "app", "-s", "dev")
    assert (done.exit, done.stdout) == (127, "")
    assert 'hook one: the program "no-such-program" is not there' in done.stderr
    assert "stacks/catalog/app.yaml:11:" in done.stderr
    assert not (module / ".terraform").exists()


@pytest.mark.parametrize(
    ("entry", "exit_code", "told"),
    [
        ("kind: trivy", 0, "hook one is not run: the kind trivy is not built"),
        ("kind: trivy, on_failure: fail", 78, "the run must not go on without it"),
        ("kind: git", 78, "the kind git is not built"),
        ("kind: step, type: http, with: {}", 0, "steps of the type http are not built"),
        ("kind: steps, with: [{type: shell}]", 78, "a step of type shell needs a `command`"),
        ("command: x", 0, "it names no `kind`"),
        ("kind: command, command: 'true', when: stack == 'dev'", 78, "`when` takes success"),
        ("kind: command, command: 'true', on_failure: stop", 78, "on_failure must be"),
        ("kind: command, command: 'true', events: plan", 78, "`events` is a list"),
        ("kind: store, name: none, outputs: {a: .app}, events: [before.terraform.plan]", 78,
         'the store "none" is not in atmos.yaml'),
    ],
)  # fmt: skip
def test_what_is_not_followed_is_told_with_its_place(
    run: Cli, entry: str, exit_code: int, told: str
) -> None:
    write(run, f"hooks:\n  one: {{{entry}}}\n")
    done = run("terraform", "plan", "app", "-s", "dev")
    assert (done.exit, told in done.stderr) == (exit_code, True), done.stderr
    assert "stacks/catalog/app.yaml:11:" in done.stderr


def test_a_dry_run_names_hooks_and_runs_none(run: Cli) -> None:
    write(run, "hooks:\n" + hook("one", "after.terraform.plan", "echo '>one'"))
    done = run("terraform", "plan", "app", "-s", "dev", "--dry-run")
    assert (said(done), done.stdout.splitlines()[-1]) == ([], "# hook one, after")


def test_each_of_several_components_has_its_hooks(run: Cli) -> None:
    write(run, "hooks:\n" + hook("one", "after.terraform.plan", "echo '>'$ATMOS_STACK"))
    assert said(run("terraform", "plan", "--all")) == ["dev", "prod"]


FLAKY = """\
#!/bin/sh
if [ "$1" = {verb} ]; then
  n=$(cat "{count}" 2>/dev/null || echo 0); echo $((n + 1)) > "{count}"
  if [ "$n" -lt {times} ]; then echo "502 Bad Gateway" >&2; exit {code}; fi
fi
exec "{terraform}" "$@"
"""


def flaky(run: Cli, verb: str, times: int, code: int = 1) -> Path:
    """Let terraform fail a few times before it works; return where it counts."""
    link = Path(run.environment["PATH"].split(":")[0], "terraform")
    real = link.readlink()
    link.unlink()
    count = run.cwd / "count"
    link.write_text(FLAKY.format(count=count, verb=verb, times=times, code=code, terraform=real))
    link.chmod(link.stat().st_mode | stat.S_IXUSR)
    return count


RETRY = """\
retry:
  max_attempts: 3
  backoff_strategy: constant
  initial_delay: 10ms
  conditions: [/5\\d\\d /]
"""


@pytest.mark.parametrize("verb", ["init", "plan", "workspace"])
def test_what_passes_is_tried_again(run: Cli, verb: str) -> None:
    write(run, RETRY)
    flaky(run, verb, 2)
    done = run("terraform", "plan", "app", "-s", "dev")
    assert done.exit == 0, done.stderr
    assert done.stdout.count("2 to add") == 1
    assert done.stderr.count("attempt 2 of 3") == 1
    assert done.stderr.count("attempt 3 of 3") == 1


def test_attempts_end_and_other_failures_are_not_tried_again(run: Cli) -> None:
    module = write(run, RETRY)
    flaky(run, "plan", 9, code=5)
    done = run("terraform", "plan", "app", "-s", "dev")
    assert (done.exit, done.stderr.count("502 Bad Gateway")) == (5, 3)
    (module / "main.tf").write_text(repository.MODULE + 'output "no" { value = nothing.at.all }\n')
    flaky_none = run("terraform", "validate", "app", "-s", "dev")
    assert (flaky_none.exit, "attempt" in flaky_none.stderr) == (1, False)


def test_what_terraform_says_while_it_is_watched_arrives_and_so_do_answers(run: Cli) -> None:
    write(run, RETRY)
    done = run("terraform", "apply", "app", "-s", "dev", stdin="yes\n")
    assert (done.exit, "Enter a value:" in done.stdout) == (0, True)
    assert "Apply complete! Resources: 2 added" in done.stdout


def test_a_wrong_retry_is_told_with_its_place(run: Cli) -> None:
    write(run, "retry:\n  conditions: ['(']\n")
    done = run("terraform", "plan", "app", "-s", "dev")
    assert (done.exit, "holds no regular expression" in done.stderr) == (78, True)
    assert "stacks/catalog/app.yaml:11:" in done.stderr


STOPPED = """\
#!/bin/sh
if [ "$1" = plan ]; then
  trap 'exit 1' TERM
  echo x >> "{count}"; echo "502 Bad Gateway" >&2
  while :; do sleep 0.05; done
fi
exec "{terraform}" "$@"
"""


def test_who_is_told_to_stop_does_not_try_again(run: Cli) -> None:
    write(run, RETRY.replace("10ms", "60s"))
    count = flaky(run, "none", 0)
    link = Path(run.environment["PATH"].split(":")[0], "terraform")
    real = link.read_text().split('exec "')[1].split('"')[0]
    link.write_text(STOPPED.format(count=count, terraform=real))

    started = run.start("terraform", "plan", "app", "-s", "dev")
    assert started.stderr is not None
    while "502" not in (line := started.stderr.readline()):
        assert line, "it ended before"
    started.terminate()

    assert started.wait(60) == 1
    assert "attempt" not in started.stderr.read()
    assert count.read_text() == "x\n"
    started.communicate()


def test_steps_of_a_hook_are_command_lines_in_the_directory_of_the_component(run: Cli) -> None:
    one = "{kind: step, type: shell, events: [after.terraform.plan], env: {X: x}, with: %s}"
    several = """\
  several:
    kind: steps
    events: [after.terraform.plan]
    on_failure: fail
    retry: {max_attempts: 2, initial_delay: 10ms}
    with:
      - {command: "echo '>one' && mkdir -p below"}
      - type: shell
        command: echo ">$(basename $PWD) $Y"; test -e twice
        env: {Y: y}
        working_directory: below
      - {command: "echo '>three'"}
"""
    command = '{command: "echo \\">$X $ATMOS_STACK {{ .vars.name }}\\" | cat"}'
    module = write(run, f"hooks:\n  single: {one % command}\n{several}")

    done = run("terraform", "plan", "app", "-s", "dev")
    assert said(done) == ["x dev shop", "one", "below y", "one", "below y"]
    assert (done.exit, "hook several failed: attempt 2 in 0.0 s" in done.stderr) == (1, True)
    assert "hook several: a step ended with exit code 1" in done.stderr
    (module / "below/twice").write_text("")
    again = run("terraform", "plan", "app", "-s", "dev")
    assert (again.exit, said(again)) == (0, ["x dev shop", "one", "below y", "three"])
