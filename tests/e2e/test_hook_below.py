"""A directory that a shell has never seen takes the answer of those above where it must be the same."""

from __future__ import annotations

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.hook_shell import START, Hooked

CONFIG = """\
base_path: {base}
auth:
  realm: lab
  identities:
    {name}:
      kind: aws/user
      default: true
      credentials: {{access_key_id: !env LAB_KEY, secret_access_key: !env LAB_SECRET, region: {region}}}
    other:
      kind: aws/user
      credentials: {{access_key_id: !env LAB_KEY, secret_access_key: !env LAB_SECRET, region: eu-west-9}}
stacks: {{base_path: stacks, included_paths: ['**/*'], name_pattern: '{{stage}}'}}
components: {{terraform: {{base_path: components/terraform}}}}
"""
MANIFEST = """\
vars: {stage: dev}
auth: {identities: {outer: {default: false}, other: {default: true}}}
components: {terraform: {app: {}}}
"""
Write = Callable[[Path], None]


def config(name: str = "outer", *, base: str = ".", region: str = "eu-west-1") -> str:
    return CONFIG.format(name=name, base=base, region=region)


def files(given: Mapping[str, str]) -> Write:
    """Return what writes files below a repository; a name that ends with `/` is a directory."""

    def write(top: Path) -> None:
        for name, text in given.items():
            path = top / name
            (path if name.endswith("/") else path.parent).mkdir(parents=True, exist_ok=True)
            if not name.endswith("/"):
                path.write_text(text)

    return write


def link(top: Path) -> None:
    files({"stacks/dev.yaml": MANIFEST})(top)
    (top / "sub").mkdir()
    (top / "sub/new").symlink_to("../stacks")


# What lies in a repository beside `seen/`, where its answer is kept first; the identity and region
# in `sub/new`; and whether that may come from the kept answer.
LAYOUTS: dict[str, tuple[Write, str, str, bool]] = {
    "plain": (files({"sub/new/": ""}), "outer", "eu-west-1", True),
    "deep": (files({"sub/new/": "", "sub/a/b/c/d/": ""}), "outer", "eu-west-1", True),
    "in-git": (files({".git/": "", "sub/new/": ""}), "outer", "eu-west-1", True),
    "nested": (
        files({"sub/new/": "", "sub/atmos.yaml": config("inner")}), "inner", "eu-west-1", False,
    ),
    "hidden": (
        files({"sub/new/": "", "sub/.atmos.yaml": config("inner")}),
        "",
        "",
        False,
    ),
    "drop-in": (files({"sub/new/atmos.d/": ""}), "", "", False),
    "pin": (
        files({"sub/new/": "", "sub/.atmos-wrap.yaml": "identity: other\n"}),
        "other", "eu-west-9", False,
    ),
    "module-of-git": (files({"sub/new/": "", "sub/.git": "gitdir: x\n"}), "outer", "eu-west-1", False),
    "manifests": (files({"stacks/sub/new/dev.yaml": MANIFEST}), "other", "eu-west-9", False),
    "link": (link, "other", "eu-west-9", False),
    "from-here": (
        files({
            "atmos.yaml": config(region="!include region.txt"),
            "seen/region.txt": "eu-west-2", "sub/new/region.txt": "eu-west-3",
        }),
        "outer", "eu-west-3", False,
    ),
    "path-from-here": (
        files({"atmos.yaml": config(base="!cwd"), "sub/new/stacks/": ""}), "outer", "eu-west-1", False,
    ),
}  # fmt: skip


@pytest.fixture(params=list(START))
def shell(
    request: pytest.FixtureRequest, cli: Cli, tool: Callable[[str], str], tmp_path: Path
) -> Iterator[Hooked]:
    """Each shell in turn, with its hook, under strace: `processes` has what was started."""
    strace = [tool("strace"), "-f", "--seccomp-bpf", "-s", "4096", "-e", "trace=execve", "-o"]
    log = tmp_path / "processes"
    before = (*strace, str(log))
    made = Hooked(str(request.param), tool(str(request.param)), cli, tmp_path, before)
    yield made
    made.close()


def asked(tmp_path: Path) -> int:
    """Return how often the program was asked at a prompt."""
    return len(re.findall(r'execve\(.*"hook-env"', (tmp_path / "processes").read_text()))


def environment(shell: Hooked, tmp_path: Path) -> dict[str, str]:
    """Return what a program gets now of what the hook sets."""
    path = tmp_path / f"env-{shell.child.pid}-{shell.count}"
    shell.run(f"env -0 > {path}")
    found = path.read_bytes().decode().rstrip("\0").split("\0")
    named = dict(entry.partition("=")[::2] for entry in found)
    return {k: v for k, v in named.items() if k.startswith(("AWS_", "ATMOS_"))}


def repository(top: Path, write: Write) -> Path:
    (top / "seen").mkdir(parents=True)
    (top / "stacks").mkdir()
    (top / "atmos.yaml").write_text(config())
    write(top)
    return top


def test_after_consent_no_directory_of_a_repository_is_asked_for(
    shell: Hooked, cli: Cli, tmp_path: Path
) -> None:
    top = repository(cli.cwd / "repo", files({"sub/new/": "", "components/terraform/app/": ""}))
    shell.run(f"cd {top}")
    assert asked(tmp_path) == 1
    shell.run("atmos-wrap allow")
    for where in (".", "sub", "sub/new", "components/terraform/app", "seen", "/"):
        shell.run(f"cd {top / where}")
        profile = environment(shell, tmp_path).get("AWS_PROFILE")
        assert profile == (None if where == "/" else "outer"), where
    assert asked(tmp_path) == 1


@pytest.mark.slow
def test_the_answer_is_the_one_that_would_be_given_there(
    shell: Hooked, cli: Cli, tmp_path: Path
) -> None:
    texts = Path(cli.environment["HOME"], ".cache/atmos-wrap/hook")
    for layout, (write, profile, region, kept) in LAYOUTS.items():
        top = repository(cli.cwd / layout, write)
        new = next(path for path in top.glob("**/new"))
        for place in (top / "seen", *([new.resolve()] if profile else [])):
            assert cli("allow", cwd=place).exit == 0, layout
        shell.run(f"cd {top / 'seen'}", "cd /")
        before = asked(tmp_path)
        shell.run(f"cd {new}")
        first = environment(shell, tmp_path)
        whole = (asked(tmp_path) == before, first.get("AWS_PROFILE"), first.get("AWS_REGION"))
        assert whole == (kept, profile or None, region or None), layout
        shutil.rmtree(texts)
        shell.run("cd /", f"cd {new}")
        assert environment(shell, tmp_path) == first, layout
        shell.run("cd /")


def test_with_a_pinned_stack_a_component_has_its_own_answer(
    shell: Hooked, cli: Cli, tmp_path: Path
) -> None:
    own = "{identities: {outer: {default: true}, other: {default: false}}}"
    manifest = MANIFEST.replace("app: {}", f"app: {{auth: {own}}}")
    app = "components/terraform/app"
    top = repository(cli.cwd / "repo", files({f"{app}/": "", "stacks/dev.yaml": manifest}))
    cli("allow", cwd=top)
    shell.run(f"cd {top / 'seen'}", "atmos-wrap use dev")
    for where, profile in (("seen", "other"), (".", "other"), (app, "outer")):
        shell.run(f"cd {top / where}")
        assert environment(shell, tmp_path).get("AWS_PROFILE") == profile, where


def test_what_appears_between_is_seen_at_the_next_prompt(
    shell: Hooked, cli: Cli, tmp_path: Path
) -> None:
    top = repository(cli.cwd / "repo", files({"sub/new/": ""}))
    cli("allow", cwd=top)
    shell.run(f"cd {top / 'seen'}", f"cd {top / 'sub/new'}")
    assert environment(shell, tmp_path)["AWS_PROFILE"] == "outer"
    (top / "sub/.atmos-wrap.yaml").write_text("identity: other\n")
    assert "has changed since you allowed it" in shell.run("true")
    assert "AWS_PROFILE" not in environment(shell, tmp_path)
    (top / "sub/.atmos-wrap.yaml").unlink()
    shell.run("true")
    assert environment(shell, tmp_path)["AWS_PROFILE"] == "outer"


def test_a_configuration_for_all_repositories_is_seen_when_it_appears(
    shell: Hooked, cli: Cli, tmp_path: Path
) -> None:
    top = repository(cli.cwd / "repo", files({"sub/": ""}))
    cli("allow", cwd=top)
    shell.run(f"cd {top / 'seen'}", f"cd {top / 'sub'}")
    assert environment(shell, tmp_path)["AWS_PROFILE"] == "outer"
    own = Path(cli.environment["HOME"], ".atmos/atmos.yaml")
    own.parent.mkdir()
    own.write_text("auth: {identities: {outer: {default: false}, other: {default: true}}}\n")
    assert "has changed since you allowed it" in shell.run("true")
    own.unlink()
    shell.run("true")
    assert environment(shell, tmp_path)["AWS_PROFILE"] == "outer"


def test_a_pinned_stack_and_an_explicit_file_are_no_directory_of_the_repository(
    shell: Hooked, cli: Cli, tmp_path: Path
) -> None:
    more = {"sub/new/": "", "stacks/dev.yaml": MANIFEST, "else/atmos.yaml": config("inner")}
    top = repository(cli.cwd / "repo", files(more))
    for place in (top, top / "else"):
        cli("allow", cwd=place)
    say = "set -gx {} {}" if shell.name == "fish" else "export {}={}"
    forget = "set -e {}" if shell.name == "fish" else "unset {}"
    shell.run(f"cd {top / 'seen'}")
    for name, value, profile in (
        ("ATMOS_STACK", "dev", "other"),
        ("ATMOS_CONFIG", top / "else/atmos.yaml", "inner"),
        ("ATMOS_CLI_CONFIG_PATH", top / "else", "inner"),
    ):
        shell.run(say.format(name, value), f"cd {top / 'sub/new'}")
        assert environment(shell, tmp_path).get("AWS_PROFILE") == profile, name
        shell.run(forget.format(name), f"cd {top / 'sub'}")
        assert environment(shell, tmp_path).get("AWS_PROFILE") == "outer", name


def test_each_of_two_shells_in_one_directory_sees_a_change(
    shell: Hooked, cli: Cli, tmp_path: Path, tool: Callable[[str], str]
) -> None:
    """What one of them has asked for is not taken for the other's answer."""
    top = repository(cli.cwd / "repo", files({"sub/": ""}))
    cli("allow", cwd=top)
    second = Hooked(shell.name, tool(shell.name), cli, tmp_path)
    try:
        for each in (shell, second):
            each.run(f"cd {top}")
        for name in ("changed", "again"):
            (top / "atmos.yaml").write_text(config(name))
            assert "has changed since you allowed it" in shell.run("true")
            shell.run("atmos-wrap allow")
            assert environment(shell, tmp_path)["AWS_PROFILE"] == name
            second.run("true")
            assert environment(second, tmp_path)["AWS_PROFILE"] == name
    finally:
        second.close()
