"""What is imported from the net: asked for once, fetched once, kept, followed, refused."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli, Result
from tests.e2e.conftest import Terminal
from tests.fakes import net as fake

ATMOS = """\
base_path: .
components: {terraform: {base_path: components/terraform}}
stacks:
  base_path: stacks
  included_paths: ["deploy/**/*"]
  name_template: "{{ .vars.stage }}"
"""
CATALOG = "components: {terraform: {app: {vars: {from: %s}}}}\n"


@pytest.fixture(scope="module")
def host(
    tmp_path_factory: pytest.TempPathFactory, tool: Callable[[str], str]
) -> Iterator[fake.Net]:
    with fake.running(tmp_path_factory.mktemp("net"), tool("git")) as running:
        yield running


@pytest.fixture
def net(host: fake.Net, environment: dict[str, str]) -> fake.Net:
    """The host, and a child that trusts it."""
    host.files.clear()
    host.requests.clear()
    host.logins.clear()
    host.away, host.password = False, ""
    environment.update(host.environment())
    return host


@pytest.fixture
def name(request: pytest.FixtureRequest) -> str:
    """A repository of the test's own."""
    return "".join(c if c.isalnum() else "-" for c in request.node.name)


def write(cli: Cli, imports: str, **more: str) -> None:
    files = {
        "atmos.yaml": ATMOS,
        "stacks/deploy/dev.yaml": f"import:\n{imports}\nvars: {{stage: dev}}\n",
        **{path.replace("__", "/") + ".yaml": text for path, text in more.items()},
    }
    for path, text in files.items():
        (cli.cwd / path).parent.mkdir(parents=True, exist_ok=True)
        (cli.cwd / path).write_text(text, encoding="utf-8")


def allow(cli: Cli, net: fake.Net) -> None:
    """Trust all of the host, as a build machine does."""
    cli.environment["ATMOS_WRAP_SOURCES"] = net.url


def described(cli: Cli) -> Result:
    return cli("describe", "component", "app", "-s", "dev", "--format", "json")


def where_from(done: Result) -> object:
    assert done.exit == 0, done.stderr
    return json.loads(done.stdout)["vars"].get("from")


def test_nothing_is_fetched_until_somebody_agreed(cli: Cli, net: fake.Net, name: str) -> None:
    address = net.repository(name, {"stacks/catalog/app.yaml": CATALOG % "net"})
    write(cli, f"  - git::{address}//stacks/catalog/app?ref=main")
    net.requests.clear()

    refused = described(cli)

    source = address.removesuffix(".git")
    assert (refused.exit, net.requests) == (78, [])
    assert "is not allowed to be fetched" in refused.stderr
    assert "stacks/deploy/dev.yaml:2:" in refused.stderr
    assert f"atmos-wrap fetch {source}" in refused.stderr
    assert cli("fetch", source).exit == 0
    assert where_from(described(cli)) == "net"
    assert cli("fetch", "--list").stdout == f"{source}\n"
    assert cli("fetch", "--forget", source).exit == 0
    assert described(cli).exit == 78


def test_who_only_looks_fetches_nothing(cli: Cli, net: fake.Net, name: str) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net"})
    write(cli, f"  - git::{address}//app.yaml?ref=main")
    allow(cli, net)
    net.requests.clear()

    listed = cli("list", "stacks")
    cli("__complete", "terraform", "plan", "app", "-s", "")
    cli("status")
    cli("hook-env", "bash", "1")

    assert net.requests == []
    assert "is not fetched yet" in listed.stderr
    assert where_from(described(cli)) == "net"
    asked = len(net.requests)
    assert cli("list", "stacks") == (0, "dev\n", "")
    assert len(net.requests) == asked > 0


def test_a_fixed_version_is_fetched_once_and_then_without_a_net(
    cli: Cli, net: fake.Net, name: str
) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "old"})
    commit = net.commit(name, {"app.yaml": CATALOG % "fixed"})
    net.tag(name, "v1", commit)
    net.commit(name, {"app.yaml": CATALOG % "new"})
    allow(cli, net)
    for ref in ("v1", commit):
        write(cli, f"  - git::{address}//app?ref={ref}")
        first = described(cli)
        assert where_from(first) == "fixed"
        assert "fetching" in first.stderr
        net.away = True
        assert described(cli) == (0, first.stdout, "")
        net.away = False


def test_a_branch_is_followed_and_says_so(cli: Cli, net: fake.Net, name: str) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "old"})
    write(cli, f"  - path: git::{address}//app?ref=main\n    ttl: 0s")
    allow(cli, net)
    assert where_from(described(cli)) == "old"
    net.commit(name, {"app.yaml": CATALOG % "new"})

    moved = described(cli)

    assert where_from(moved) == "new"
    assert f"{address.removesuffix('.git')}//app (main) moved: " in moved.stderr
    net.away = True
    stale = described(cli)
    assert where_from(stale) == "new"
    assert "what was fetched before is used" in stale.stderr


def test_a_branch_is_asked_for_again_only_after_a_while(cli: Cli, net: fake.Net, name: str) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "old"})
    write(cli, f"  - git::{address}//app?ref=main")
    allow(cli, net)
    described(cli)
    net.commit(name, {"app.yaml": CATALOG % "new"})
    net.requests.clear()

    assert where_from(described(cli)) == "old"
    assert net.requests == []
    assert cli("fetch", "--update").exit == 0
    assert where_from(described(cli)) == "new"


def test_a_tag_that_moved_is_refused(cli: Cli, net: fake.Net, name: str, home: Path) -> None:
    import shutil

    address = net.repository(name, {"app.yaml": CATALOG % "old"})
    net.tag(name, "v1", net.commit(name, {"app.yaml": CATALOG % "fixed"}))
    write(cli, f"  - git::{address}//app?ref=v1")
    allow(cli, net)
    assert where_from(described(cli)) == "fixed"
    net.tag(name, "v1", net.commit(name, {"app.yaml": CATALOG % "other"}))
    shutil.rmtree(home / ".cache")

    refused = described(cli)

    assert refused.exit == 78
    assert "is not what it was" in refused.stderr
    assert "atmos-wrap fetch --forget" in refused.stderr


def test_many_at_once_fetch_once(cli: Cli, net: fake.Net, name: str) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net"})
    write(cli, f"  - git::{address}//app?ref=main")
    allow(cli, net)
    net.requests.clear()

    running = [cli.start("describe", "component", "app", "-s", "dev") for _ in range(4)]
    ended = [(one.communicate(timeout=60), one.returncode) for one in running]

    assert [code for _, code in ended] == [0] * 4
    assert len([one for one in net.requests if one.endswith("info/refs")]) == 2  # ask, fetch


def test_a_file_is_fetched_encrypted_all_the_way(cli: Cli, net: fake.Net) -> None:
    text = (CATALOG % "file").encode()
    net.files = {
        "/files/app.yaml": fake.Answer(body=text),
        "/files/moved.yaml": fake.Answer(302, location=f"{net.url}/files/app.yaml"),
        "/files/open.yaml": fake.Answer(302, location="http://127.0.0.1:9/app.yaml"),
    }
    allow(cli, net)
    write(cli, f"  - {net.url}/files/moved.yaml")
    assert where_from(described(cli)) == "file"
    write(cli, f"  - {net.url}/files/open.yaml")
    assert "leads to what is not encrypted" in described(cli).stderr
    write(cli, f"  - {net.url}/files/none.yaml")
    assert "the server answered 404" in described(cli).stderr
    write(cli, f"  - {net.url}/files/app.yaml?checksum=sha256:{'0' * 64}")
    assert "not what is named" in described(cli).stderr
    write(cli, f"  - {net.url}/files/app.yaml?other")
    untrusted = cli("describe", "component", "app", "-s", "dev", env={"SSL_CERT_FILE": None})
    assert "cannot be trusted" in untrusted.stderr


def test_imports_of_a_remote_manifest_lead_here_or_there(
    cli: Cli, net: fake.Net, name: str
) -> None:
    remote = {
        "stacks/catalog/app.yaml": "import: [catalog/base, ./more]\n",
        "stacks/catalog/base.yaml": CATALOG % "there",
        "stacks/catalog/more.yaml": "vars: {more: true}\n",
    }
    address = net.repository(name, remote)
    allow(cli, net)
    path = f"git::{address}//stacks/catalog/app?ref=main"
    here = {"stacks__catalog__base": CATALOG % "here"}

    write(cli, f"  - {path}", **here)
    assert where_from(described(cli)) == "here"
    write(cli, f"  - {{path: '{path}', nested_imports: remote}}", **here)
    done = described(cli)

    assert where_from(done) == "there"
    assert json.loads(done.stdout)["vars"]["more"] is True
    names = [one for one in json.loads(done.stdout)["imports"] if "127.0.0.1" in one]
    assert f"{address.removesuffix('.git')}//stacks/catalog/base.yaml?ref=main" in names


def test_a_directory_and_a_pattern_bring_all_their_manifests(
    cli: Cli, net: fake.Net, name: str
) -> None:
    files = {"c/a.yaml": CATALOG % "a", "c/sub/b.yaml": CATALOG % "b", "c/x.txt": "no"}
    address = net.repository(name, files)
    allow(cli, net)
    for path, wanted in (("c", "b"), ("c/*.yaml", "a")):
        write(cli, f"  - git::{address}//{path}?ref=main")
        assert where_from(described(cli)) == wanted


def test_a_link_out_of_a_repository_is_refused(cli: Cli, net: fake.Net, name: str) -> None:
    address = net.repository(name, {"a": ""})
    secret = cli.cwd / "secret.yaml"
    secret.write_text("vars: {secret: 1}\n", encoding="utf-8")
    net.commit(name, {"a": ""}, link=f"app.yaml:{secret}")
    write(cli, f"  - git::{address}//app.yaml?ref=main")
    allow(cli, net)

    refused = described(cli)

    assert (refused.exit, "leads out of what was fetched" in refused.stderr) == (78, True)


def test_nothing_of_a_repository_is_run_and_nothing_of_ours_leaks_in(
    cli: Cli, net: fake.Net, name: str, home: Path
) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net", ".gitmodules": "[x"})
    hooks = home / "hooks"
    hooks.mkdir()
    for hook in ("post-checkout", "reference-transaction"):
        (hooks / hook).write_text(f"#!/bin/sh\ntouch {home}/ran\n")
        (hooks / hook).chmod(0o755)
    (home / ".gitconfig").write_text(f"[core]\n\thooksPath = {hooks}\n")
    write(cli, f"  - git::{address}//app?ref=main")
    allow(cli, net)
    cli.environment |= {"GIT_DIR": str(home / "elsewhere"), "GIT_SSL_NO_VERIFY": "1"}

    assert where_from(described(cli)) == "net"
    assert not (home / "ran").exists()
    assert not (home / "elsewhere").exists()


def test_credentials_are_used_and_never_shown_or_kept(
    cli: Cli, net: fake.Net, name: str, home: Path
) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net"})
    net.password = "Basic bWU6aHVudGVyMg=="
    allow(cli, net)
    for kind, path in (("git::", "//app?ref=main"), ("", "")):
        net.files["/files/app.yaml"] = fake.Answer(body=(CATALOG % "net").encode())
        base = address if kind else f"{net.url}/files/app.yaml"
        secret = base.replace("https://", "https://me:hunter2@")
        write(cli, f"  - {kind}{secret}{path}")
        done = described(cli)
        assert where_from(done) == "net"
        wrong = secret.replace("hunter2", "hunter3").replace("app.yaml", "app.yaml?x")
        write(cli, f"  - {kind}{wrong}{path.replace('main', 'other')}")
        refused = described(cli)
        assert refused.exit == 78
        assert "hunter" not in done.stderr + refused.stderr + done.stdout
    kept = [one for one in (home / ".cache").rglob("*") if one.is_file()]
    kept += [one for one in (home / ".local").rglob("*") if one.is_file()]
    assert kept
    assert not [one for one in kept if b"hunter" in one.read_bytes() and "index-" not in one.name]


def test_atmos_yaml_imports_from_the_net_as_well(cli: Cli, net: fake.Net) -> None:
    net.files["/files/shared.yaml"] = fake.Answer(body=b"env: {SHARED: from-the-net}\n")
    (cli.cwd / "atmos.yaml").write_text(f"import: ['{net.url}/files/shared.yaml']\n{ATMOS}")
    assert cli("describe", "config").exit == 78
    allow(cli, net)
    assert json.loads(cli("describe", "config").stdout)["env"] == {"SHARED": "from-the-net"}


def test_a_repository_cannot_agree_for_its_user(
    cli: Cli, net: fake.Net, name: str, terraform: str
) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net", "main.tf": ""})
    net.requests.clear()
    trusting = f"{ATMOS}env: {{ATMOS_WRAP_SOURCES: '{net.url}'}}\n"
    source = f"components: {{terraform: {{app: {{source: {{uri: 'git::{address}'}}}}}}}}\n"
    for text in (f"import: ['git::{address}//app']\n", source):
        write(cli, "  - catalog/x", stacks__catalog__x=text)
        (cli.cwd / "atmos.yaml").write_text(trusting)
        refused = cli("terraform", "plan", "app", "-s", "dev")
        assert (refused.exit, "is not allowed" in refused.stderr) == (78, True), refused.stderr
    (cli.cwd / "atmos.yaml").write_text(f"import: ['{net.url}/files/x.yaml']\n{trusting}")
    assert cli("describe", "config").exit == 78
    assert net.requests == []


def test_a_list_of_the_user_counts_unless_others_could_have_written_it(
    cli: Cli, net: fake.Net, name: str, home: Path
) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net"})
    write(cli, f"  - git::{address}//app?ref=main")
    listed = home / ".config/atmos-wrap/sources"
    listed.parent.mkdir(parents=True)
    for line in (
        f"{net.url}/test",
        f"{net.url.rpartition(':')[0]}:1",
        net.url + "x",
        "#" + net.url,
    ):
        listed.write_text(line + "\n")
        assert described(cli).exit == 78
    listed.write_text(f"# mine\n{net.url}\n")
    listed.chmod(0o666)
    refused = described(cli)
    assert (refused.exit, "sources does not count: " in refused.stderr) == (78, True)
    listed.chmod(0o600)
    assert where_from(described(cli)) == "net"


def test_consents_that_others_could_have_written_do_not_count(
    cli: Cli, net: fake.Net, name: str, home: Path
) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net"})
    write(cli, f"  - git::{address}//app?ref=main")
    assert cli("fetch", "--yes").exit == 0
    (home / ".local/state/atmos-wrap/remote").chmod(0o777)
    refused = described(cli)
    assert (refused.exit, "others can write in" in refused.stderr) == (78, True), refused.stderr


def test_fetch_asks_on_a_terminal(cli: Cli, net: fake.Net, name: str, terminal: Terminal) -> None:
    address = net.repository(name, {"app.yaml": CATALOG % "net"})
    write(cli, f"  - git::{address}//app?ref=main")
    child = terminal("fetch")
    child.expect_exact(f"Fetch {address.removesuffix('.git')} for stacks/deploy/dev.yaml:2")
    child.sendline("y")
    child.expect_exact("1 remote source: all here")
    assert where_from(described(cli)) == "net"


def test_a_stack_elsewhere_is_not_stopped(cli: Cli, net: fake.Net) -> None:
    other = "vars: {stage: prod}\n" + CATALOG % "here"
    write(cli, f"  - git::{net.url}/none.git//app", stacks__deploy__prod=other)
    done = cli("describe", "component", "app", "-s", "prod", "--format", "json")
    assert where_from(done) == "here"
    assert "is not allowed to be fetched" in done.stderr
