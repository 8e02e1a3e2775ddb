"""The index knows what names depend on besides files: a warm answer is that of a fresh look."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path

import pytest

from tests.conftest import Cli

APP = "components: {terraform: {app: {vars: {a: 1}}}}\n"
ATMOS = """
base_path: .
components: {{terraform: {{base_path: components/terraform}}}}
stacks: {{base_path: stacks, included_paths: ["deploy/**/*"], {0}}}
templates: {{settings: {{enabled: true, sprig: {{enabled: true}}, gomplate: {{enabled: true}}}}}}
"""
BY_STAGE = ATMOS.format("name_template: '{{ .vars.stage }}'")


def write(root: Path, files: Mapping[str, str]) -> None:
    """Write files that the index may trust: older than the tick of the clock."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    for path in root.rglob("*"):
        os.utime(path, ns=(10**18, 10**18))


def names(cli: Cli, *flags: str, **environ: str) -> list[str]:
    found = cli("list", "stacks", *flags, env=environ)
    assert (found.exit, found.stderr) == (0, ""), found.stderr
    return found.stdout.split()


VARIABLES = {
    "locals": {"stacks/deploy/a.yaml": "locals: {s: !env S}\nvars: {stage: 's-{{ .locals.s }}'}\n" + APP},
    "import stage": {
        "stacks/deploy/a.yaml": "import: [{path: c/t, context: {x: 1}}]\n" + APP,
        "stacks/c/t.yaml.tmpl": "vars: {stage: 's-{{ env \"S\" }}'}\n",
    },
    "getenv": {
        "stacks/deploy/a.yaml": "import: [{path: c/t, context: {x: 1}}]\n" + APP,
        "stacks/c/t.yaml.tmpl": "vars: {stage: 's-{{ getenv \"S\" }}'}\n",
    },
    "expandenv": {
        "stacks/deploy/a.yaml": "import: [{path: c/t, context: {x: 1}}]\n" + APP,
        "stacks/c/t.yaml.tmpl": "vars: {stage: 's-{{ expandenv \"$S\" }}'}\n",
    },
    "shared by two": {
        "stacks/deploy/a.yaml": "import: [{path: c/t, context: {x: 1}}]\nvars: {stage: zz}\n" + APP,
        "stacks/deploy/b.yaml": "import: [{path: c/t, context: {x: 1}}]\n" + APP,
        "stacks/c/t.yaml.tmpl": "vars: {stage: 's-{{ env \"S\" }}'}\n",
    },
    "import path": {
        "stacks/deploy/a.yaml": "import: [{path: 'c/{{ env \"S\" }}', context: {x: 1}}]\n" + APP,
        "stacks/c/one.yaml": "vars: {stage: s-one}\n",
        "stacks/c/two.yaml": "vars: {stage: s-two}\n",
    },
}  # fmt: skip


@pytest.mark.parametrize("how", VARIABLES)
def test_a_variable_that_names_depend_on(cli: Cli, how: str) -> None:
    write(cli.cwd, {"atmos.yaml": BY_STAGE} | VARIABLES[how])
    assert "s-one" in names(cli, S="one")
    assert "s-one" in names(cli, S="one", OTHER="x")
    found = names(cli, S="two")
    assert "s-two" in found
    assert "s-one" not in found


def test_a_variable_that_the_name_template_reads(cli: Cli) -> None:
    write(cli.cwd, {
        "atmos.yaml": ATMOS.format("name_template: '{{ .vars.stage }}-{{ env \"S\" }}'"),
        "stacks/deploy/a.yaml": "vars: {stage: a}\n" + APP,
    })  # fmt: skip
    assert names(cli, S="one") == ["a-one"]
    assert names(cli, S="two") == ["a-two"]


def test_a_variable_that_mends_a_manifest(cli: Cli) -> None:
    write(cli.cwd, {
        "atmos.yaml": BY_STAGE,
        "stacks/deploy/a.yaml": "import: [{path: 'c/{{ env \"S\" }}', context: {x: 1}}]\n" + APP,
        "stacks/c/one.yaml": "vars: {stage: one}\n",
    })  # fmt: skip
    cli("list", "stacks", env={"S": "nothing"})
    assert names(cli, S="one") == ["one"]


@pytest.mark.parametrize("call", ["uuidv4", "randAlpha 20", "uuid.V4", "now | unixEpoch"])
def test_what_is_other_each_time(cli: Cli, call: str) -> None:
    write(cli.cwd, {
        "atmos.yaml": BY_STAGE,
        "stacks/deploy/a.yaml": "import: [{path: c/t, context: {x: 1}}]\n" + APP,
        "stacks/c/t.yaml.tmpl": f"vars: {{stage: 's-{{{{ {call} }}}}'}}\n",
    })  # fmt: skip
    first = names(cli)
    if "now" in call:
        second = int(time.time())
        while int(time.time()) == second:
            time.sleep(0.05)
    assert names(cli) != first


def test_a_variable_that_nobody_reads_costs_nothing(cli: Cli) -> None:
    write(cli.cwd, {"atmos.yaml": BY_STAGE} | VARIABLES["locals"])
    names(cli, S="one")
    index = next((Path(cli.environment["HOME"]) / ".cache/atmos-wrap").glob("index-*.sqlite"))
    before = index.stat().st_mtime_ns
    names(cli, S="one", OTHER="x")
    assert index.stat().st_mtime_ns == before
    base = sqlite3.connect(index)
    assert "one" not in str(base.execute("SELECT * FROM meta").fetchall())
    base.close()


def test_the_settings_of_the_configuration(cli: Cli) -> None:
    write(cli.cwd, {
        "atmos.yaml": BY_STAGE,
        "stacks/deploy/a.yaml": "vars: {stage: a, tenant: t}\n" + APP,
        "stacks/more/b.yaml": "vars: {stage: b, tenant: t}\n" + APP,
        "other/deploy/c.yaml": "vars: {stage: c, tenant: t}\n" + APP,
    })  # fmt: skip
    assert names(cli) == ["a"]
    assert names(cli, ATMOS_STACKS_NAME_TEMPLATE="{{ .vars.tenant }}-x") == ["t-x"]
    assert names(cli, ATMOS_STACKS_INCLUDED_PATHS="deploy/*,more/*") == ["a", "b"]
    assert names(cli, ATMOS_STACKS_EXCLUDED_PATHS="**/a.yaml") == []
    assert names(cli, ATMOS_STACKS_BASE_PATH="other") == ["c"]
    assert names(cli, "--stacks-dir", "other") == ["c"]
    assert names(cli) == ["a"]
    (cli.cwd / "atmos.yaml").write_text(ATMOS.format('name_pattern: "{tenant}-{stage}"'))
    assert names(cli) == ["t-a"]


def test_only_what_a_component_needs_is_parsed(cli: Cli) -> None:
    """Counted by an audit hook of the interpreter itself: every file that is opened."""
    others = {f"stacks/deploy/s{n}.yaml": f"import: [c/{n % 3}]\nvars: {{stage: s{n}}}\n" + APP for n in range(9)}  # fmt: skip
    catalog = {f"stacks/c/{n}.yaml": f"vars: {{c: {n}}}\n" for n in range(3)}
    write(cli.cwd, {"atmos.yaml": BY_STAGE} | others | catalog)
    root = f"{cli.cwd}/stacks"
    expected = cli("describe", "component", "app", "-s", "s4").stdout

    def opened() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", OPENED, "describe", "component", "app", "-s", "s4"],
            env=cli.environment,
            cwd=cli.cwd,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.stdout == expected
        return sorted(line for line in done.stderr.split("\n") if line.startswith(root))

    assert opened() == []
    (cli.cwd / "stacks/c/1.yaml").write_text("vars: {c: 1}   # changed\n")
    os.utime(cli.cwd / "stacks/c/1.yaml", ns=(2 * 10**18, 2 * 10**18))
    assert set(opened()) == {f"{root}/c/1.yaml"}
    (cli.cwd / "stacks/deploy/s7.yaml").write_text("import: [c/1]\nvars: {stage: s70}\n" + APP)
    os.utime(cli.cwd / "stacks/deploy/s7.yaml", ns=(2 * 10**18, 2 * 10**18))
    assert set(opened()) == {f"{root}/deploy/s7.yaml"}


OPENED = """
import sys
from wrapper.__main__ import main
found = []
sys.addaudithook(lambda name, given: found.append(str(given[0])) if name == "open" else None)
code = main()
print(*found, sep="\\n", file=sys.stderr)
sys.exit(code)
"""


@pytest.mark.parametrize(
    "command",
    [
        ["describe", "component", "app", "-s", "a"],
        ["terraform", "plan", "app", "-s", "a", "--dry-run"],
        ["why", "vars.a", "-c", "app", "-s", "a"],
        ["list", "stacks"],
        ["list", "instances"],
    ],
    ids=" ".join,
)
def test_no_other_component_is_merged(cli: Cli, terraform: str, command: list[str]) -> None:
    """Counted in the interpreter: of all stacks, with the index cold, stale and warm.

    A broken component of the same stack, and all other stacks, are not even looked at.
    """
    body = "".join(f"    b{n}: {{metadata: {{inherits: [missing{n}]}}}}\n" for n in range(3))
    broken = f"vars: {{stage: a}}\ncomponents:\n  terraform:\n    app: {{vars: {{a: 1}}}}\n{body}"
    others = {f"stacks/deploy/s{n}.yaml": f"vars: {{stage: s{n}}}\n{APP}" for n in range(5)}
    module = {"components/terraform/app/main.tf": 'variable "a" {}\n'}
    write(cli.cwd, {"atmos.yaml": BY_STAGE, "stacks/deploy/a.yaml": broken} | others | module)
    wanted = ["app"] if command[0] != "list" else []

    def merged() -> list[str]:
        done = subprocess.run(
            [sys.executable, "-c", RESOLVED, *command],
            env=cli.environment,
            cwd=cli.cwd,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert done.returncode == 0, done.stderr
        return done.stderr.split("\n")[-2].split()[1:]

    assert merged() == wanted
    for name in others:
        os.utime(cli.cwd / name, ns=(2 * 10**18, 2 * 10**18))
    assert merged() == wanted
    assert merged() == wanted


RESOLVED = """
import sys
from wrapper.__main__ import main
found = []
def look(frame, event, arg):
    if event == "call" and frame.f_code.co_name == "resolve" and "sections" in frame.f_code.co_filename:
        if frame.f_locals["only"] == ():  # else just what the name of the stack is made of
            found.append(frame.f_locals["name"])
sys.setprofile(look)
code = main()
sys.setprofile(None)
print("resolved", *found, file=sys.stderr)
sys.exit(code)
"""
