"""`describe affected` and `--affected`: real git, and the real terraform where something runs."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.e2e import gits
from tests.e2e.gits import Repo


@pytest.fixture(scope="session")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The repository of `gits` and its remote, to copy from."""
    root = tmp_path_factory.mktemp("template")
    gits.made(root)
    return root


@pytest.fixture
def repo(cli: Cli, template: Path) -> Repo:
    """The repository of `gits`."""
    return gits.copied(template, cli)


def reasons(done: Result) -> dict[str, list[str]]:
    """Return `component/stack` -> every reason."""
    assert (done.exit, done.stderr) == (0, "")
    return {f"{e['component']} {e['stack']}": e["affected_all"] for e in json.loads(done.stdout)}


def left_behind(cli: Cli) -> list[str]:
    """Return what lies in the directory for temporary files."""
    return os.listdir(cli.environment["TMPDIR"])


APP, NET = "components/terraform/app/", "components/terraform/net/"
CATALOG = "stacks/catalog/app.yaml"


BACKEND = ["stack.backend", "stack.remote_state_backend"]


@pytest.mark.parametrize(
    ("name", "old", "new", "affected"),
    [
        (CATALOG, "{name: net}\n    db", "{name: web}\n    db", {"net": ["stack.vars"]}),
        (CATALOG, "region: here", "region: near", {"db": ["stack.vars"]}),
        (CATALOG, "states}", "zones}", dict.fromkeys(("net", "db", "shop/app"), BACKEND)),
        (CATALOG, "region: here", "region:   here", {}),
        (
            CATALOG,
            "{component: app}\n      vars: {name: app}",
            "{component: app, locked: true}\n      vars: {name: app}\n      env: {A: b}",
            {"shop/app": ["stack.metadata", "stack.env"]},
        ),
        (
            CATALOG,
            "2: {folder",
            "2: {component: net}, 3: {folder",
            {"shop/app": ["stack.settings"]},
        ),
        (CATALOG, "[{name: net}]", "[{name: old}]", {"db": ["stack.dependencies"]}),
        (CATALOG, "enabled: false", "enabled: true", {"old": ["stack.metadata"]}),
        (NET + "main.tf", "there", "where", {"net": ["component"]}),
        (NET + "new/deep.txt", "", "new", {"net": ["component"]}),
        (NET + "some.ignored", "", "new", {}),
        (NET + "dev-net.terraform.tfvars.json", "", "left by a run", {}),
        (
            "modules/label/deep/main.tf",
            "locals",
            "# other\nlocals",
            {"db": ["component.module"], "shop/app": ["component.module"]},
        ),
        ("modules/other/main.tf", "locals", "# other\nlocals", {}),
        ("policies/db.json", "{}", "[]", {"db": ["file"]}),
        ("policies/web/two.json", "", "{}", {"shop/app": ["folder"]}),
        ("README.md", "nothing", "something", {}),
    ],
)
def test_what_differs_is_named_with_its_reasons(
    cli: Cli, repo: Repo, name: str, old: str, new: str, affected: dict[str, list[str]]
) -> None:
    if old:
        repo.edit(name, old, new)
    else:
        repo.write({name: new})
    wanted = {f"{n} {s}": found for n, found in affected.items() for s in ("dev", "prod")}
    assert reasons(cli("describe", "affected")) == wanted


def test_the_entry_of_a_component_is_that_of_atmos(cli: Cli, repo: Repo) -> None:
    repo.edit(CATALOG, "{name: net}\n    db", "{name: web}\n    db")
    done = cli("describe", "affected", "-s", "dev", "--include-dependents=true", "--stack", "dev")
    (net,) = json.loads(done.stdout)
    (db,) = net.pop("dependents")
    (app,) = db.pop("dependents")
    assert net == {
        "component": "net",
        "component_type": "terraform",
        "component_path": "components/terraform/net",
        "stack": "dev",
        "stack_slug": "dev-net",
        "stage": "dev",
        "affected": "stack.vars",
        "affected_all": ["stack.vars"],
        "included_in_dependents": False,
        "settings": {},
    }
    assert (db["component"], app["component"], app["stack_slug"]) == (
        "db",
        "shop/app",
        "dev-shop-app",
    )
    assert app["dependents"] == []


def test_what_depends_on_another_affected_one_says_so(cli: Cli, repo: Repo) -> None:
    repo.edit(CATALOG, "{name: net}\n    db", "{name: web}\n    db")
    repo.edit(CATALOG, "vars: {name: app}", "vars: {name: sales}")
    words = ("describe", "affected", "--include-dependents", "--include-settings", "-s", "dev")
    found = {entry["component"]: entry for entry in json.loads(cli(*words).stdout)}
    assert {name: entry["included_in_dependents"] for name, entry in found.items()} == {
        "net": False,
        "shop/app": True,
    }
    assert found["shop/app"]["settings"]["depends_on"]["1"] == {"component": "db"}
    shown = cli("describe", "affected", "-s", "dev", "-f", "yaml", "-q", ".[].stack_slug")
    assert shown.stdout == "- dev-net\n- dev-shop-app\n\n"


def test_what_is_gone_is_told(cli: Cli, repo: Repo) -> None:
    repo.write({"stacks/deploy/prod.yaml": None})
    repo.edit(CATALOG, "    net:\n      metadata: {component: net}\n      vars: {name: net}\n", "")
    found = json.loads(cli("describe", "affected").stdout)
    told = {(e["component"], e["stack"]): (e["affected"], e["deletion_type"]) for e in found}
    gone = dict.fromkeys((("shop/app", "prod"), ("db", "prod"), ("net", "prod")), "stack")
    assert told == {
        ("net", "dev"): ("deleted", "component"),
        ("old", "prod"): ("deleted.stack", "stack"),
        **{key: ("deleted.stack", kind) for key, kind in gone.items()},
    }
    assert {entry["component_path"].partition("/")[0] for entry in found} == {"components"}


def test_new_components_differ_in_all_that_they_say(cli: Cli, repo: Repo) -> None:
    new = "components: {terraform: {new: {metadata: {component: net}, vars: {name: new}}}}\n"
    repo.write({"stacks/deploy/dev.yaml": "import: [catalog/app]\nvars: {stage: dev}\n" + new})
    done = reasons(cli("describe", "affected"))
    assert [*done] == ["new dev"]
    assert done["new dev"][:4] == [
        "stack.metadata", "stack.vars", "stack.backend", "stack.backend_type"
    ]  # fmt: skip


def test_locked_ones_and_those_without_a_tag_can_be_left_out(cli: Cli, repo: Repo) -> None:
    repo.edit(CATALOG, "{component: net}\n", "{component: net, locked: true, tags: [a]}\n")
    repo.edit(CATALOG, "inherits: [base]}", "inherits: [base], tags: [b]}")
    words = ("describe", "affected", "-s", "dev")
    assert [*reasons(cli(*words))] == ["db dev", "net dev"]
    assert [*reasons(cli(*words, "--exclude-locked=true"))] == ["db dev"]
    assert [*reasons(cli(*words, "--exclude-locked=false"))] == ["db dev", "net dev"]
    assert [*reasons(cli(*words, "--tags", "a"))] == ["net dev"]


# ---- what is compared with ----------------------------------------------------------------------


def advance(repo: Repo) -> str:
    """Let `main` of the remote go on by a change to `net`, away from HEAD; return where it was."""
    before = repo.git("rev-parse", "HEAD")
    repo.edit(CATALOG, "{name: net}\n    db", "{name: web}\n    db")
    repo.commit("theirs")
    repo.git("push", "-q", "origin", "main")
    repo.git("checkout", "-q", "-b", "mine", before)
    repo.edit(CATALOG, "vars: {name: app}", "vars: {name: sales}")
    repo.commit("mine")
    return before


def test_each_way_to_name_the_other_side(cli: Cli, repo: Repo) -> None:
    before = advance(repo)
    repo.git("tag", "first", before)
    both, mine = ["net dev", "shop/app dev"], ["shop/app dev"]
    ways: dict[tuple[str, ...], list[str]] = {
        (): both,
        ("--base", "main"): both,
        ("--base", "main..."): mine,
        ("--base", "refs/tags/first"): mine,
        ("--ref", "refs/heads/mine"): [],
        ("--ref", "refs/heads/mine", "--sha", before): mine,
    }
    found = {way: [*reasons(cli("describe", "affected", "-s", "dev", *way))] for way in ways}
    assert found == ways


def test_a_detached_head_a_subdirectory_and_a_linked_worktree_are_compared(
    cli: Cli, repo: Repo
) -> None:
    advance(repo)
    repo.git("checkout", "-q", "--detach", "mine")
    words = ("describe", "affected", "-s", "dev", "--base", "main...")
    assert [*reasons(cli(*words, cwd=repo.path / "components/terraform/app"))] == ["shop/app dev"]
    bare, linked = repo.path.parent / "bare.git", repo.path.parent / "linked"
    repo.git("clone", "-q", "--bare", str(repo.path), str(bare))
    repo.git("-C", str(bare), "worktree", "add", "-q", str(linked), "mine")
    assert [*reasons(cli(*words, cwd=linked))] == ["shop/app dev"]
    assert sorted(os.listdir(bare / "worktrees")) == ["linked"]


def test_a_repository_below_the_root_of_git_is_compared(cli: Cli, repo: Repo) -> None:
    repo.git("mv", "-k", "atmos.yaml", "stacks", "components", "modules", "policies", ".")
    (repo.path / "infra").mkdir()
    for name in ("atmos.yaml", "stacks", "components", "modules", "policies"):
        repo.git("mv", name, f"infra/{name}")
    repo.commit("moved")
    repo.edit("infra/components/terraform/net/main.tf", "there", "where")
    repo.edit("infra/policies/db.json", "{}", "[]")
    found = reasons(
        cli("describe", "affected", "--base", "HEAD", "-s", "dev", cwd=repo.path / "infra")
    )
    assert found == {"net dev": ["component"], "db dev": ["file"]}


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (
            ("--base", "next"),
            (
                'error: git does not know the commit "next"\n'
                "hint: `git fetch --depth=1 origin next:refs/remotes/origin/next`\n"
            ),
        ),
        (("--base", "HEAD~99"), 'error: git does not know the commit "HEAD~99"\n'),
        (
            ("--sha", "0123456789abcdef"),
            (
                'error: git does not know the commit "0123456789abcdef"\n'
                "hint: `git fetch --depth=1 origin 0123456789abcdef`\n"
            ),
        ),
        (
            ("--repo-path", "..", "--ref", "refs/heads/main"),
            (
                "error: if the '--repo-path' flag is specified, the '--base', '--ref', '--sha', "
                "'--ssh-key' and '--ssh-key-password' flags can't be used\n"
            ),
        ),
        (
            ("--upload=true",),
            (
                "error: --upload sends the list to Atmos Pro, which this program does not talk to\n"
                "hint: write it to a file with --file, and send that\n"
            ),
        ),
    ],
)
def test_what_cannot_be_compared_with_says_what_to_do(
    cli: Cli, repo: Repo, words: tuple[str, ...], told: str
) -> None:
    done = cli("describe", "affected", *words)
    assert (done.stdout, done.stderr) == ("", told)
    assert done.exit in (64, 78)


def test_a_shallow_clone_says_what_to_fetch(cli: Cli, repo: Repo) -> None:
    advance(repo)
    repo.git("push", "-q", "origin", "mine")
    shallow = repo.path.parent / "shallow"
    address = f"file://{repo.origin}"
    repo.git("clone", "-q", "--depth=1", "--branch=mine", address, str(shallow))
    words = ("describe", "affected", "-s", "dev", "--base", "main")
    done = cli(*words, cwd=shallow)
    fetch = "git fetch --depth=1 origin main:refs/remotes/origin/main"
    assert done.stderr == (
        f'error: this clone is shallow and git does not know the commit "main"\nhint: `{fetch}`\n'
    )
    fetched = reasons(cli(*words, "--clone-target-ref=true", cwd=shallow))
    repo.git(*fetch.split()[1:], cwd=shallow)
    assert [*reasons(cli(*words, cwd=shallow))] == [*fetched] == ["net dev", "shop/app dev"]
    done = cli(*words[:-1], "main...", cwd=shallow)
    assert done.stderr.splitlines()[-1] == (
        "hint: this clone is shallow: `git fetch --unshallow origin`"
    )


def test_a_key_is_used_to_fetch(cli: Cli, repo: Repo) -> None:
    """The stand-in for ssh writes down how it was called, and runs what it was to run far away."""
    log, key = repo.path.parent / "log", repo.path.parent / "a key"
    ssh = Path(cli.environment["PATH"].partition(os.pathsep)[0], "ssh")
    ssh.write_text(
        f'#!/bin/sh\nfor one; do last=$one; done\necho "$2 $4 $("$SSH_ASKPASS")" >> {log}\n'
        'exec sh -c "$last"\n'
    )
    ssh.chmod(0o755)
    key.write_text("key")
    repo.git("remote", "set-url", "origin", f"ssh://git@example.com{repo.origin}")
    repo.edit(NET + "main.tf", "there", "where")
    fetch = ("--clone-target-ref", "--ssh-key", str(key), "--ssh-key-password", "correct horse")
    assert [*reasons(cli("describe", "affected", "-s", "dev", *fetch))] == ["net dev"]
    assert log.read_text() == f"{key} IdentitiesOnly=yes correct horse\n"
    assert left_behind(cli) == []


def test_another_clone_can_be_compared_with_as_it_is(cli: Cli, repo: Repo) -> None:
    other = repo.path.parent / "other"
    repo.git("clone", "-q", str(repo.origin), str(other))
    (other / NET / "main.tf").write_text("# not committed\n")
    found = reasons(cli("describe", "affected", "--repo-path", "../other", "-s", "dev"))
    assert found == {"net dev": ["component"]}
    assert repo.git("status", "--short", cwd=other) == f"M {NET}main.tf"


def test_no_repository_and_no_remote_are_errors(cli: Cli, repo: Repo) -> None:
    repo.git("remote", "remove", "origin")
    done = cli("describe", "affected")
    assert done.stderr.splitlines()[0] == (
        "error: the default branch of the remote is not known here (refs/remotes/origin/HEAD)"
    )
    (repo.path / ".git").rename(repo.path.parent / "away")
    done = cli("describe", "affected")
    assert (done.exit, done.stdout) == (78, "")
    told, hint = done.stderr.splitlines()
    assert "is not in the working tree of a git repository" in told
    assert hint == "hint: what differs is read from git: change to a clone of the repository"


# ---- what is never done -------------------------------------------------------------------------


def test_nothing_that_the_repository_names_is_run_and_nothing_of_it_changes(
    cli: Cli, repo: Repo
) -> None:
    marks = repo.path.parent / "marks"
    script = repo.path.parent / "evil"
    script.write_text(f'#!/bin/sh\necho "$0 $*" >> {marks}\ncat\n')
    script.chmod(0o755)
    repo.write({".gitattributes": "* filter=evil diff=evil text\n"})
    repo.edit(CATALOG, "region: here", "region: near")
    repo.commit()
    (repo.path / ".git/hooks").mkdir(exist_ok=True)
    for hook in ("post-checkout", "post-index-change", "reference-transaction", "post-merge"):
        (repo.path / ".git/hooks" / hook).symlink_to(script)
    for key in (
        "core.fsmonitor", "filter.evil.smudge", "filter.evil.clean", "filter.evil.process",
        "diff.evil.command", "diff.evil.textconv", "diff.external", "core.sshCommand", "core.pager",
        "core.askPass", "credential.helper", "tar.evil.command", "remote.origin.uploadpack",
    ):  # fmt: skip
        repo.git("config", key, str(script))
    repo.git("config", "remote.origin.promisor", "true")
    repo.edit(NET + "main.tf", "there", "where")
    before = {p: p.stat().st_mtime_ns for p in repo.path.rglob("*")}
    words = ("describe", "affected", "-s", "dev")
    assert [*reasons(cli(*words))] == ["db dev", "net dev"]
    assert [*reasons(cli(*words, "--clone-target-ref"))] == ["db dev", "net dev"]
    assert not marks.exists()
    assert {p: p.stat().st_mtime_ns for p in repo.path.rglob("*")} == before
    assert left_behind(cli) == []


def test_a_partial_clone_fetches_nothing_on_its_own(cli: Cli, repo: Repo) -> None:
    advance(repo)
    repo.git("push", "-q", "origin", "mine")
    repo.git("config", "uploadpack.allowFilter", "true", cwd=repo.origin)
    partial, marks = repo.path.parent / "partial", repo.path.parent / "marks"
    address = f"file://{repo.origin}"
    repo.git("clone", "-q", "--filter=blob:none", "--branch=mine", address, str(partial))
    script = repo.path.parent / "evil"
    script.write_text(f'#!/bin/sh\ntouch {marks}\nexec git-upload-pack "$@"\n')
    script.chmod(0o755)
    repo.git("config", "remote.origin.uploadpack", str(script), cwd=partial)
    words = ("describe", "affected", "-s", "dev", "--base", "main")
    done = cli(*words, cwd=partial)
    assert (done.exit, done.stdout, marks.exists()) == (78, "", False)
    assert done.stderr.splitlines()[-1] == (
        "hint: a partial clone leaves out what was not needed: `--clone-target-ref` fetches what is "
        "compared with"
    )
    found = reasons(cli(*words, "--clone-target-ref", cwd=partial))
    assert ([*found], marks.exists()) == (["net dev", "shop/app dev"], False)


def test_an_address_that_names_a_program_is_not_fetched_from(cli: Cli, repo: Repo) -> None:
    mark = repo.path.parent / "mark"
    repo.git("remote", "set-url", "origin", f"ext::sh -c 'touch {mark}'")
    done = cli("describe", "affected", "--clone-target-ref")
    assert (done.exit, done.stdout, mark.exists()) == (78, "", False)
    assert "transport 'ext' not allowed" in done.stderr


def test_a_commit_with_paths_that_lead_elsewhere_is_refused(cli: Cli, repo: Repo) -> None:
    blob = repo.git("rev-parse", "HEAD:README.md")
    (repo.path / "tree").write_text(f"100644 blob {blob}\tx\n")
    repo.git("update-index", "--add", "--cacheinfo", f"100644,{blob},inner")
    tree = repo.git("write-tree")
    entry = b"40000 ..\0" + bytes.fromhex(tree)
    raw = repo.path.parent / "raw"
    raw.write_bytes(entry)
    outer = repo.git("hash-object", "-t", "tree", "--literally", "-w", str(raw))
    commit = repo.git("commit-tree", outer, "-m", "evil")
    done = cli("describe", "affected", "--sha", commit)
    assert (done.exit, done.stdout) == (78, "")
    assert "a path that no checkout may have: ../" in done.stderr
    assert not (Path(cli.environment["TMPDIR"]) / "inner").exists()


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_a_signal_leaves_nothing_behind(
    cli: Cli, repo: Repo, number: signal.Signals, code: int
) -> None:
    gate = repo.path / "gate"
    os.mkfifo(gate)
    call = "!exec touch begun; exec cat gate"
    repo.edit(CATALOG, "region: here", f'region: "{call}"')
    repo.edit(CATALOG, f'"{call}"', call)
    repo.edit(CATALOG, "vars: {region: " + call + "}", f"vars:\n        region: {call}")
    running = cli.start("describe", "affected", "-s", "dev")
    end = time.monotonic() + 60
    while not (repo.path / "begun").exists():
        assert time.monotonic() < end, "it did not begin"
        assert running.poll() is None, running.communicate()
        time.sleep(0.02)
    assert [name[:16] for name in left_behind(cli)] == ["atmos-wrap-base-"]
    running.send_signal(number)
    stdout, stderr = running.communicate(timeout=60)
    assert (running.returncode, stdout, "Traceback" in stderr) == (code, "", False)
    assert left_behind(cli) == []


# ---- templates, functions, broken manifests ------------------------------------------------------


def test_functions_are_run_only_where_they_decide(cli: Cli, repo: Repo) -> None:
    repo.edit(CATALOG, "vars: {region: here}", "vars:\n        region: !exec date +%N")
    repo.edit(CATALOG, "{name: net}\n    db", '{name: !exec "echo net"}\n    db')
    repo.commit()
    words = ("describe", "affected", "-s", "dev", "--base", "HEAD")
    assert reasons(cli(*words)) == {}
    repo.edit(CATALOG, '!exec "echo net"', "net")
    assert reasons(cli(*words)) == {}
    assert reasons(cli(*words, "--process-functions=false")) == {"net dev": ["stack.vars"]}
    assert reasons(cli(*words, "--skip", "exec")) == {"net dev": ["stack.vars"]}
    repo.edit(CATALOG, "name: net}\n    db", '{name: !exec "echo web"}\n    db'[1:])
    assert reasons(cli(*words)) == {"net dev": ["stack.vars"]}


def test_paths_of_the_repository_are_the_same_on_both_sides(cli: Cli, repo: Repo) -> None:
    repo.edit(
        "atmos.yaml", "base_path: .\n", "base_path: .\ntemplates: {settings: {enabled: true}}\n"
    )
    repo.edit(
        CATALOG, "{name: net}\n    db", "{name: '{{ .component_info.component_path }}'}\n    db"
    )
    repo.edit(CATALOG, "vars: {region: here}", "vars:\n        region: !repo-root")
    repo.commit()
    words = ("describe", "affected", "-s", "dev", "--base", "HEAD")
    repo.write({"stacks/deploy/dev.yaml": "import: [catalog/app]\nvars: {stage: dev} # new\n"})
    assert reasons(cli(*words)) == {}


def test_a_manifest_that_the_change_broke_is_an_error(cli: Cli, repo: Repo) -> None:
    repo.write({"stacks/deploy/prod.yaml": "vars: {stage: prod\n"})
    done = cli("describe", "affected")
    assert (done.exit, done.stdout) == (78, "")
    assert re.search(
        r'^error: what differs in "prod" cannot be said: its manifest could be read in '
        r"refs/remotes/origin/HEAD \(\w{8}\), and cannot be read now\n  at stacks/deploy/prod.yaml:1:1",
        done.stderr,
        re.M,
    )
    assert cli("describe", "affected", "-s", "dev").exit == 0
    repo.commit()
    repo.edit(CATALOG, "region: here", "region: near")
    done = cli("describe", "affected", "--base", "HEAD")
    assert [entry["component"] for entry in json.loads(done.stdout)] == ["db"]


def test_a_changed_configuration_is_told(cli: Cli, repo: Repo) -> None:
    repo.edit("atmos.yaml", "base_path: .\n", "base_path: . # same\n")
    done = cli("describe", "affected")
    assert (done.exit, done.stdout) == (0, "[]\n")
    assert done.stderr.startswith("warning: atmos.yaml is not as in refs/remotes/origin/HEAD (")


def test_helpers_that_read_many_manifests_end(cli: Cli, repo: Repo) -> None:
    many = {
        f"stacks/deploy/s{n}.yaml": f"import: [catalog/app]\nvars: {{stage: s{n}}}\n"
        for n in range(120)
    }
    repo.write(many)
    done = cli("describe", "affected", "-q", "length", timeout=60)
    assert (done.exit, done.stdout.split(), done.stderr) == (0, ["360"], "")
