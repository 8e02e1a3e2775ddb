"""Tab in real shells: keys are typed, and the command gets exactly the words that were meant."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e import odd_names, typed
from tests.e2e.typed import INTERRUPT, LEFT, TAB, Typed

SHELLS = ("bash", "zsh", "fish")
# The package of Debian, which has completions for what runs other programs.
PACKAGE = Path("/usr/share/bash-completion/bash_completion")
# In how many ways a value is begun; `%s` is the flag with what stands before the value.
BEGUN = ("-s ", '-s "', "-s '", "--stack=")
# Keys, and the words that come out.
LINES = (
    (f"ver{TAB}", "version"),
    (f"terraform refre{TAB}c5 -s {TAB}", "terraform refresh c5 -s", "`touch ran`"),
    (f"terraform plan -s two{TAB}{TAB}", "terraform plan -s", "two  blanks", "c25"),
    (f"terraform plan -s two\\ {TAB}", "terraform plan -s", "two  blanks"),
    (f"terraform plan -s 'two {TAB}", "terraform plan -s", "two  blanks"),
    (f'terraform plan -s "two {TAB}', "terraform plan -s", "two  blanks"),
    (f"terraform plan --stack=two{TAB}", "terraform plan", "--stack=two  blanks"),
    (f"terraform plan -s a:b{TAB}", "terraform plan -s", "a:b c"),
    (f"terraform plan -s a=b:{TAB}", "terraform plan -s", "a=b:c"),
    (f"terraform plan -s team/{TAB}", "terraform plan -s", "team/eu"),
    (f"terraform plan -s {TAB.join(('gr', ''))}", "terraform plan -s", "größe"),
    (f"terraform plan -s  c4{LEFT * 3}{TAB}", "terraform plan -s", "$(touch ran)", "c4"),
    (f"terraform plan  -s it\\'s{LEFT * 9}{TAB}", "terraform plan c2 -s", "it's"),
    (f"terraform state mv -s par\\(en\\) {TAB}", "terraform state mv -s", "par(en)", "c8"),
    (f"list vars c17 --format y{TAB}", "list vars c17 --format yaml"),
    (f"list vars c17 --format=js{TAB}", "list vars c17 --format=json"),
    (f"terraform plan c1 --logs-level De{TAB}", "terraform plan c1 --logs-level Debug"),
    (f"terraform plan c1 --accept{TAB}", "terraform plan c1 --accept-state-change"),
    (f"terraform apply c1 -auto{TAB}", "terraform apply c1 -auto-approve"),
    (f"terraform plan c1 -lock={TAB}fa{TAB}", "terraform plan c1 -lock=false"),
    (f"terraform plan c1 -tar{TAB}x", "terraform plan c1 -target=x"),
    (f"terraform apply c1 -var-fi{TAB}my{TAB}", "terraform apply c1", "-var-file=my vars.tfvars"),
    (f"terraform plan c1 -var-file my{TAB}", "terraform plan c1 -var-file", "my vars.tfvars"),
    (f"terraform apply c1 --planfile my{TAB}", "terraform apply c1 --planfile", "my vars.tfvars"),
    (f"--base-path mo{TAB}", "--base-path", "modules"),
    (f"-C mo{TAB}", "-C", "modules"),
    (f"auth login -i it{TAB}", "auth login -i", "it's me"),
    (f"auth login --identity=a{TAB}", "auth login", "--identity=a b/c"),
    (f"auth logout \\$\\(tou{TAB}", "auth logout", "$(touch ran)"),
    (f"why a{TAB}", "why", "a b/c"),
    (f"auth login --provider pa{TAB}", "auth login --provider", "partner sso"),
    (f"list stacks --profile ci{TAB}", "list stacks --profile", "ci team"),
    (f"profile show c{TAB}", "profile show", "ci team"),
    (f"workflow ro{TAB}-f de{TAB}", "workflow", "roll out", "-f", "deploy all.yaml"),
    (f"greet --lou{TAB}", "greet --loud"),
    (f"gree{TAB}", "greet"),
    (f"hook ba{TAB}", "hook bash"),
    (f"completion fi{TAB}", "completion fish"),
    (f"trust pr{TAB}", "trust prune"),
    (f"use it\\'s\\ {TAB}", "use", "it's me"),
    (f"exec -i it{TAB}-- only-here-p{TAB}", "exec -i", "it's me", "--", "only-here-program"),
    (f"describe dep{TAB}c3{TAB}", "describe dependents c3"),
)  # fmt: skip


def words(line: tuple[str, ...]) -> list[str]:
    """Return what must come out: the first text is plain words, the others are one word each."""
    return [*line[1].split(" "), *line[2:]]


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Cli:
    """The installed program in a repository of odd names; what a configuration may run is a trap."""
    root = tmp_path_factory.mktemp("tab")
    for name in ("home", "bin", "repo"):
        (root / name).mkdir()
    environment = {
        "HOME": str(root / "home"),
        "PATH": f"{root}/bin{os.pathsep}{os.defpath}",
        "LANG": "C.UTF-8",
        "TZ": "UTC",
    }
    only = root / "bin/only-here-program"
    only.write_text("#!/bin/sh\n")
    only.chmod(0o755)
    odd_names.write(root / "repo")
    (root / "repo/my vars.tfvars").write_text("")
    return Cli(environment, root / "repo")


@pytest.fixture(scope="session")
def package() -> str:
    """What a start file says to load the package `bash-completion`; missing, it fails in CI."""
    if not PACKAGE.is_file():
        reason = "bash-completion is not installed"
        pytest.fail(reason) if os.environ.get("CI") else pytest.skip(reason)
    return f"source {PACKAGE}\n"


@pytest.fixture(scope="module", params=[*SHELLS, "bash-completion"])
def shell(request: pytest.FixtureRequest, cli: Cli, tool: Callable[[str], str]) -> Iterator[Typed]:
    """One shell for all lines, with what `completion` prints; bash also behind the package."""
    name: str = request.param.partition("-")[0]
    before = "" if request.param == name else request.getfixturevalue("package")
    text = typed.completion(cli, name, cli.environment)
    with typed.started(name, tool(name), cli, text, before) as found:
        yield found


def test_an_odd_name_is_inserted_as_what_it_is(shell: Typed, cli: Cli) -> None:
    ways = BEGUN if shell.shell == "bash" else BEGUN[:1]  # the others quote by themselves
    lines = {
        f"atmos-wrap terraform plan c{number} {begun}{TAB}": [
            *("terraform", "plan", f"c{number}"),
            *(["-s", name] if begun[1] == "s" else [f"--stack={name}"]),
        ]
        for number, name in enumerate(odd_names.NAMES)
        for begun in ways
    }

    found = {keys: shell.run(keys) for keys in lines}

    assert found == lines
    assert not (cli.cwd / "ran").exists()


def test_every_kind_of_place(shell: Typed) -> None:
    # What stands behind the cursor is nothing that fish tells.
    known = [line for line in LINES if shell.shell != "fish" or LEFT not in line[0]]
    lines = {f"atmos-wrap {line[0]}": words(line) for line in known}

    found = {keys: [word.rstrip("/") for word in shell.run(keys)] for keys in lines}

    assert found == lines


def test_names_with_control_characters_are_not_offered(shell: Typed) -> None:
    for number in range(len(odd_names.NAMES), len(odd_names.NAMES) + len(odd_names.HIDDEN)):
        line = f"terraform plan c{number} -s"
        assert shell.run(f"atmos-wrap {line} {TAB}") == line.split()


def test_what_a_name_is_stands_beside_it(shell: Typed) -> None:
    if shell.shell == "bash":  # names only
        assert "ambient" not in shell.shows(f"atmos-wrap auth login -i {TAB}{TAB}", "touch")
        return
    shown = shell.shows(f"atmos-wrap auth login -i {TAB}", "ambient 111111111111")

    assert "$(touch ran)" in shown


def test_flags_given_are_not_offered_again(shell: Typed) -> None:
    line = "terraform plan c1 --accept-state-change"

    assert shell.run(f"atmos-wrap {line} --accept-s{TAB}") == [*line.split(), "--accept-s"]


def test_a_broken_repository_offers_nothing_and_says_nothing(shell: Typed, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "atmos.yaml").write_text("auth: [\n")
    shell.command(f"cd {broken}")
    try:
        assert shell.run(f"atmos-wrap terraform plan -s {TAB}x") == "terraform plan -s x".split()
        assert "rror" not in str(shell.child.before)
        (broken / "atmos.yaml").unlink()
        (broken / "atmos.yaml").mkdir()
        assert shell.run(f"atmos-wrap auth login -i {TAB}x") == "auth login -i x".split()
        assert "rror" not in str(shell.child.before)
    finally:
        shell.command("cd -")


def test_an_interrupted_tab_leaves_the_shell_as_it_was(shell: Typed) -> None:
    shell.child.send(f"atmos-wrap terraform plan -s {TAB}{INTERRUPT}")

    shown = shell.command("echo still here")

    assert "still here" in shown
    assert "Traceback" not in shown


@pytest.mark.parametrize(
    ("name", "before"),
    [
        ("bash", "set -u\n"),
        ("bash", "set -e\nset -o pipefail\n"),
        ("bash", "set -k\nshopt -s failglob nullglob nocasematch\nIFS=abc:\n"),
        ("bash", "set -f\nCOMP_WORDBREAKS=${COMP_WORDBREAKS//[:=]}\n"),
        ("zsh", "setopt KSH_ARRAYS NO_UNSET\n"),
        ("zsh", "setopt SH_WORD_SPLIT COMPLETE_IN_WORD GLOB_COMPLETE\n"),
        ("zsh", "setopt ERR_EXIT NO_GLOB SH_GLOB POSIX_BUILTINS RC_EXPAND_PARAM\nIFS=abc:\n"),
        ("fish", "set -g IFS\nfish_vi_key_bindings\n"),
    ],
)
def test_options_of_the_user_change_nothing(
    cli: Cli, tool: Callable[[str], str], name: str, before: str
) -> None:
    text = typed.completion(cli, name, cli.environment)
    chosen = [LINES[n] for n in (2, 6, 7, 11, 20) if name != "fish" or LEFT not in LINES[n][0]]
    lines = {f"atmos-wrap {line[0]}": words(line) for line in chosen}
    with typed.started(name, tool(name), cli, text, after=before) as shell:
        found = {keys: shell.run(keys) for keys in lines}
        shown = shell.command("echo $-") if name == "bash" else ""

    assert found == lines
    assert all(letter in shown.split("ready> ")[-1] for letter in before[5:6] if name == "bash")


@pytest.mark.parametrize("name", SHELLS)
def test_the_plain_file_finds_the_program_by_its_name(
    cli: Cli, tool: Callable[[str], str], name: str
) -> None:
    plain = {"bash": "atmos-wrap.bash", "zsh": "_atmos-wrap", "fish": "atmos-wrap.fish"}[name]
    text = (Path(__file__).parents[2] / "completions" / plain).read_text()
    with typed.started(name, tool(name), cli, text) as shell:
        found = shell.run(f"atmos-wrap {LINES[1][0]}")

    assert found == words(LINES[1])


def test_zsh_loads_the_file_from_its_function_path(cli: Cli, tool: Callable[[str], str]) -> None:
    functions = Path(cli.environment["HOME"]) / "functions"
    functions.mkdir()
    (functions / "_atmos-wrap").write_text(typed.completion(cli, "zsh", cli.environment))
    with typed.started("zsh", tool("zsh"), cli, "", f"fpath=({functions} $fpath)\n") as shell:
        found = shell.run(f"atmos-wrap {LINES[1][0]}")

    assert found == words(LINES[1])


def test_no_interpreter_is_looked_for_by_name(cli: Cli) -> None:
    for name in SHELLS:
        text = typed.completion(cli, name, cli.environment)
        assert f"{sys.executable}' -E -P -c" in text
