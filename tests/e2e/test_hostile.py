"""Manifests that are made to fill the memory, never to end, or to be no files at all.

Every run has 500 MB of address space. A component that does not need such a manifest is answered, with
a warning that names it; one that needs it is an error with its place.
"""

from __future__ import annotations

import json
import os
import resource
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Cli, Result

SPACE = 500 << 20
ATMOS = """
base_path: .
components: {terraform: {base_path: components/terraform}}
stacks: {base_path: stacks, included_paths: ["deploy/**/*"], name_template: "{{ .vars.stage }}"}
templates: {settings: {enabled: true, sprig: {enabled: true}, gomplate: {enabled: true}}}
"""
GOOD = "vars: {stage: good}\ncomponents: {terraform: {app: {vars: {x: 1}}}}\n"
BAD = "vars: {stage: bad}\ncomponents: {terraform: {app: {vars: {%s}}}}\n"

# Writes one thing that is no text.
Make = Callable[[Path], object]


class Case(NamedTuple):
    """Files beside the good manifest; what is said of them, where.

    `warned`: the whole repository is told; else only who asks for the component.
    """

    files: dict[str, str | bytes | Make]
    said: str
    at: str = "stacks/deploy/bad.yaml"
    warned: bool = True


def one(text: str | bytes | Make) -> dict[str, str | bytes | Make]:
    return {"stacks/deploy/bad.yaml": text}


def chain(
    levels: int, *, twice: bool = False, context: bool = False
) -> dict[str, str | bytes | Make]:
    """Return files that import each other in a row; with `twice` each the next two."""
    files: dict[str, str | bytes | Make] = {}
    for n in range(levels):
        wanted = [f"chain/c{m}" for m in (n + 1, n + 2) if m < levels and (twice or m == n + 1)]
        files[f"stacks/chain/c{n}.yaml"] = f"import: [{', '.join(wanted)}]\nvars: {{v{n}: 1}}\n"
    first = "{path: chain/c0, context: {a: 1}}" if context else "chain/c0"
    return files | one(f"import: [{first}]\n" + BAD % "y: 1")


def inherits(levels: int, key: str, *, twice: bool = False) -> str:
    """Return components that inherit from each other in a row."""
    lines = ["vars: {stage: bad}", "components:", "  terraform:"]
    for n in range(levels):
        bases = f"b{n + 1}, b{n + 2}" if twice else f"b{n + 1}"
        how = f"component: {bases}" if key == "component" else f"metadata: {{inherits: [{bases}]}}"
        lines.append(f"    {'app' if n == 0 else f'b{n}'}: {{{how}, vars: {{v{n}: 1}}}}")
    lines += [f"    b{levels + n}: {{}}" for n in range(2)]
    return "\n".join(lines) + "\n"


def bomb(line: str, levels: int) -> str:
    return (
        "".join(line.format(n=n, below=n - 1, above=n + 1) for n in range(1, levels)) + BAD % "y: 1"
    )


def large(line: str, size: int) -> Make:
    def write(path: Path) -> None:
        text = "vars:\n" + "".join(line.format(n=n) for n in range(10_000))
        with path.open("w") as stream:
            for _ in range(size // len(text) + 1):
                stream.write(text)

    return write


def link(target: str) -> Make:
    return lambda path: path.symlink_to(target)


def listening(path: Path) -> None:
    here = os.getcwd()
    os.chdir(path.parent)  # the name of a socket must be short
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(path.name)
    os.chdir(here)


def template(text: str) -> Case:
    return Case(one(BAD % f"x: '{text}'"), "template in `vars.", warned=False)


ALIASES = (
    "a{n}: &a{n} [*a{below}, *a{below}, *a{below}, *a{below}, *a{below}, *a{below}, *a{below}]\n"
)
MERGED = "x{n}: &x{n} {{<<: [*x{below}, *x{below}], k{n}: 1}}\n"
LOCALS = "  a{n}: '{{{{ .locals.a{above} }}}}'\n"
TWICE = "  a{n}: '" + "{{{{ .locals.a{below} }}}}" * 10 + "'\n"
CASES = {
    "broken": Case(one("a: [\n"), "bad YAML"),
    "aliases": Case(one("a0: &a0 [x]\n" + bomb(ALIASES, 30)), "aliases make more"),
    "merge keys": Case(one("x0: &x0 {a: 1}\n" + bomb(MERGED, 40)), "aliases make more"),
    "deep flow": Case(one("x: " + "[" * 10_000 + "]" * 10_000), "nested too deeply"),
    "deep open": Case(one("x: " + "{a: " * 10_000), "nested too deeply"),
    "deep block": Case(one("".join(" " * n + "a:\n" for n in range(2000))), "nested too deeply"),
    "deep list": Case(one("- " * 10_000 + "x\n"), "nested too deeply"),
    "deep keys": Case(one("? " * 10_000 + "x\n"), "nested too deeply"),
    "cycle": Case(
        one("import: [chain/a]\n" + BAD % "y: 1")
        | {"stacks/chain/a.yaml": "import: [chain/b]", "stacks/chain/b.yaml": "import: [chain/a]"},
        "circular import: chain/a.yaml -> chain/b.yaml -> chain/a.yaml",
        "stacks/chain/b.yaml",
    ),
    "itself": Case(one("import: [deploy/bad]\n" + BAD % "y: 1"), "imports itself"),
    "imports": Case(chain(1000), "nested more than 200 deep", "stacks/chain/c199.yaml"),
    "imports twice": Case(chain(40, twice=True), "more than 50,000 imports", "stacks/chain/"),
    "with context": Case(
        chain(40, twice=True, context=True), "more than 50,000 imports", "stacks/chain/"
    ),
    "inherits": Case(one(inherits(1000, "inherits")), "over more than 100 levels"),
    "component": Case(one(inherits(1000, "component")), "over more than 100 levels"),
    "inherits twice": Case(one(inherits(40, "inherits", twice=True)), "more than 1,000 times"),
    "100 MB of comments": Case(one(large("# " + "x" * 1000 + "\n", 100_000_000)), "larger than 16"),
    "100 MB of values": Case(one(large("  key{n}: value\n", 100_000_000)), "larger than 16"),
    "8 MB of values": Case(one(large("  key{n}: [a, b, c]\n", 8_000_000)), "more than 250,000 values"),
    "locals in a circle": Case(
        one("locals: {a: '{{ .locals.b }}', b: '{{ .locals.a }}'}\n" + BAD % "y: 1"), "a -> b -> a"
    ),
    "locals in a row": Case(one("locals:\n  a1500: x\n" + bomb(LOCALS, 1500)), "over more than 200"),
    "locals that grow": Case(one("locals:\n  a0: 0123456789\n" + bomb(TWICE, 12)), "longer than 16"),
    "range": template("{{ range until 1000000000 }}x{{ end }}"),
    "range in range": template("{{ range until 9999 }}{{ range until 9999 }}{{ end }}{{ end }}"),
    "repeat": template('{{ repeat 1000000000 "abc" }}'),
    "recursion": template('{{ define "T" }}{{ template "T" . }}{{ end }}{{ template "T" . }}'),
    "deep template": template("{{ if true }}" * 5000 + "{{ end }}" * 5000),
    "template file": Case(
        one("import: [{path: chain/t, context: {n: 1}}]\n" + BAD % "y: 1")
        | {"stacks/chain/t.yaml.tmpl": "vars: {x: '{{ range until 1000000000 }}x{{ end }}'}"},
        "import template",
        "stacks/chain/t.yaml.tmpl",
    ),
    "include": Case(
        one(BAD % "x: !include ../../huge.yaml") | {"huge.yaml": large("  k{n}: v\n", 50_000_000)},
        "the file is larger than 16 MiB",
        warned=False,
    ),
    "include of text": Case(
        one(BAD % "x: !include.raw ../../huge.yaml") | {"huge.yaml": large("# k\n", 50_000_000)},
        "the file is larger than 16 MiB",
        warned=False,
    ),
    "include of a pipe": Case(
        one(BAD % "x: !include.raw ../../pipe") | {"pipe": os.mkfifo}, "not found", warned=False
    ),
    "pipe": Case(one(os.mkfifo), "not a plain file"),
    "device": Case(one(link("/dev/zero")), "not a plain file"),
    "socket": Case(one(listening), "cannot read the manifest"),
    "link to itself": Case(one(link("bad.yaml")), "symbolic links"),
    "link to nothing": Case(one(link("nothing")), "cannot read the manifest"),
    "other encoding": Case(one(b"vars: {stage: bad, x: '\xe9\xff'}\n"), "UTF-8"),
    "NUL": Case(one(b"vars: {stage: bad, x: 'a\x00b'}\n"), "control characters"),
    "NUL in an import": Case(one('import: ["a\\0b"]\n' + BAD % "y: 1"), "import not found"),
    "long import": Case(one(f'import: ["{"a/" * 5000}x"]\n' + BAD % "y: 1"), "import not found"),
    "stars": Case(
        one("import: ['" + "**/" * 12 + "*a" * 12 + "b']\n" + BAD % "y: 1")
        | {f"stacks/chain/{'a' * 60}.yaml": "{}"},
        "import not found",
    ),
    "braces": Case(one("import: ['c/" + "{a,b}" * 25 + "']\n" + BAD % "y: 1"), "alternatives"),
    "bad class": Case(one("import: ['c/[z-a]']\n" + BAD % "y: 1"), "bad pattern"),
}  # fmt: skip


def write(root: Path, files: dict[str, str | bytes | Make]) -> None:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, str):
            path.write_text(content)
        elif isinstance(content, bytes):
            path.write_bytes(content)
        else:
            content(path)


def describe(cli: Cli, stack: str) -> Result:
    """Describe a component in 500 MB."""
    done = subprocess.run(
        [cli.program, "describe", "component", "app", "-s", stack, "-f", "json", "-q", ".vars"],
        env=cli.environment,
        cwd=cli.cwd,
        capture_output=True,
        text=True,
        timeout=60,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_AS, (SPACE, SPACE)),
    )
    return Result(done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("name", CASES)
def test_a_hostile_manifest_is_named_and_stops_only_who_needs_it(cli: Cli, name: str) -> None:
    case = CASES[name]
    write(cli.cwd, {"atmos.yaml": ATMOS, "stacks/deploy/good.yaml": GOOD} | case.files)
    found = describe(cli, "good")
    assert (found.exit, json.loads(found.stdout)) == (0, {"stage": "good", "x": 1}), found.stderr
    if case.warned:
        assert case.said in found.stderr
        assert case.at in found.stderr or "deploy/bad" in found.stderr
    else:
        assert found.stderr == ""
    needed = describe(cli, "bad")
    assert (needed.exit, needed.stdout) == (78, "")
    assert case.said in needed.stderr
    assert case.at in needed.stderr or "deploy/bad" in needed.stderr
    assert "fault" not in needed.stderr
    assert "Traceback" not in needed.stderr + found.stderr
    if (big := cli.cwd / "huge.yaml").exists():
        big.unlink()
    shutil.rmtree(cli.cwd / "stacks")


def test_all_of_them_at_once_do_not_stop_a_plan(cli: Cli, terraform: str) -> None:
    names = ("aliases", "deep open", "itself", "100 MB of comments", "link to nothing")
    files: dict[str, str | bytes | Make] = {
        "atmos.yaml": ATMOS,
        "stacks/deploy/good.yaml": GOOD,
        "components/terraform/app/main.tf": 'variable "x" {}\nvariable "stage" {}\noutput "x" { value = var.x }\n',
    }
    for number, name in enumerate(names):
        content = CASES[name].files["stacks/deploy/bad.yaml"]
        if isinstance(content, str):
            content = content.replace("deploy/bad", f"deploy/bad{number}")
        files[f"stacks/deploy/bad{number}.yaml"] = content
    write(cli.cwd, files)
    for state in ("cold", "warm"):
        done = cli("terraform", "plan", "app", "-s", "good")
        assert (done.exit, "You can apply this plan" in done.stdout) == (0, True), done.stderr
        for number, name in enumerate(names):
            said = [line for line in done.stderr.split("\n") if f"bad{number}.yaml" in line]
            assert any(CASES[name].said in line for line in said), (state, name, done.stderr)
    (cli.cwd / "stacks/deploy/bad3.yaml").unlink()


@pytest.mark.parametrize(
    "text",
    [
        b"\xef\xbb\xbf" + (BAD % "y: 1").encode(),
        (BAD % "y: 1").replace("\n", "\r\n").encode(),
        (BAD % "y: 1").encode("utf-16"),
        ("x: " + "[" * 150 + "]" * 150 + "\n" + BAD % "y: 1").encode(),
        ("# " + "x" * 10_000_000 + "\n" + BAD % "y: 1").encode(),
    ],
    ids=["byte order mark", "CRLF", "UTF-16", "150 levels", "10 MB"],
)
def test_what_is_only_odd_is_read(cli: Cli, text: bytes) -> None:
    write(cli.cwd, {"atmos.yaml": ATMOS, "stacks/deploy/bad.yaml": text})
    found = describe(cli, "bad")
    assert (found.stderr, json.loads(found.stdout)) == ("", {"stage": "bad", "y": 1})


def test_links_that_lead_around_in_directories_end(cli: Cli) -> None:
    write(cli.cwd, {"atmos.yaml": ATMOS, "stacks/deploy/good.yaml": GOOD})
    for n in range(4):
        (cli.cwd / f"stacks/deploy/a{n}").symlink_to(".")
        (cli.cwd / f"stacks/deploy/b{n}").symlink_to("..")
    found = describe(cli, "good")
    assert (found.exit, found.stderr) == (0, "")


def test_a_glob_over_very_many_files(cli: Cli) -> None:
    write(cli.cwd, {"atmos.yaml": ATMOS, "stacks/deploy/good.yaml": "import: ['n/**/x*']\n" + GOOD})
    for folder in range(20):
        (cli.cwd / f"stacks/n/{folder}").mkdir(parents=True)
        for n in range(1000):
            os.close(os.open(cli.cwd / f"stacks/n/{folder}/f{n}", os.O_CREAT))
    (cli.cwd / "stacks/n/7/x1.yaml").write_text("vars: {found: 7}\n")
    found = describe(cli, "good")
    assert json.loads(found.stdout) == {"stage": "good", "x": 1, "found": 7}, found.stderr


REPLACER = """
import os, sys
while True:
    for text in sys.argv[2:]:
        with open("next", "w") as stream:
            stream.write(text)
        os.replace("next", sys.argv[1])
"""


def test_a_file_that_is_replaced_all_the_time_is_read_whole(cli: Cli) -> None:
    texts = [GOOD.replace("x: 1", f"x: {'9' * length}") for length in (1, 16)]
    write(cli.cwd, {"atmos.yaml": ATMOS, "stacks/deploy/good.yaml": texts[0]})
    argv = [sys.executable, "-c", REPLACER, "stacks/deploy/good.yaml", *texts]
    with subprocess.Popen(argv, cwd=cli.cwd) as other:
        try:
            for _ in range(8):
                found = describe(cli, "good")
                assert json.loads(found.stdout)["x"] in (9, int("9" * 16)), found.stderr
        finally:
            other.kill()
