"""A repository full of traps: looking at it runs nothing, contacts nobody, and prints nothing raw.

Programs that a trap would start are canaries in PATH that leave a mark; names that a trap would ask
for lead to a listener on loopback, or to a proxy that knows no host; the kernel tells the rest.
"""

from __future__ import annotations

import json
import re
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import Cli
from tests.e2e.hook_shell import Hooked
from wrapper.hook.code import FORM

ODD = (
    "$(touch CANARY)", "`touch CANARY`", "; touch CANARY;", "' touch CANARY '", '"$(touch CANARY)"',
    "new\nline", "\x1b[2J\x1b]0;owned\x07", "\x9b31m", "back\\slash", "%{$(touch CANARY)%}", "-rf",
    "a b", "*", "~", "\u202eevil", "=x", "PS1=$(touch CANARY)",
)  # fmt: skip
LONG = "x" * (1 << 20)
# Names of identities that are no error already.
NAMES = tuple(name for name in ODD if not set(name) & set("'\"\\[]\n\x1b"))


@pytest.fixture
def listener() -> Iterator[tuple[int, list[str]]]:
    """A server that notes who comes; its port, and what was asked."""
    heard: list[str] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            while True:
                try:
                    connection, _ = server.accept()
                except OSError:
                    return
                with connection:
                    heard.append(connection.recv(200).decode("latin-1"))

        thread = threading.Thread(target=serve)
        thread.start()
        yield server.getsockname()[1], heard
        server.shutdown(socket.SHUT_RDWR)
        thread.join()


@pytest.fixture
def repo(cli: Cli, listener: tuple[int, list[str]]) -> Path:
    """Write the repository, put the canaries into PATH, lead the net to the listener."""
    port, _ = listener
    url = f"http://127.0.0.1:{port}"
    binaries = Path(cli.environment["PATH"].partition(":")[0])
    mark = cli.cwd.parent / "STARTED"
    for name in ("git", "terraform", "tofu", "aws", "evil", "curl", "gomplate", "vault", "op"):
        (binaries / name).write_text(f"#!/bin/sh\necho {name} \"$@\" >> '{mark}'\n")
        (binaries / name).chmod(0o755)
    identities = {
        name: {"kind": "aws/user", "credentials": {"region": "eu-west-1"}} for name in NAMES
    }
    identities["dev"] = {"kind": "aws/user", "default": True}  # type: ignore[dict-item]
    (cli.cwd / "atmos.yaml").write_text(
        "base_path: ./\n"
        "stacks: {base_path: stacks, included_paths: ['deploy/*'], name_pattern: '{stage}'}\n"
        "components: {terraform: {base_path: components/terraform, command: !exec 'touch CANARY'}}\n"
        "settings: {x: !exec 'touch CANARY', y: !exec evil}\n"
        "templates: {settings: {enabled: true, sprig: {enabled: true}, gomplate: {enabled: true,"
        f" datasources: {{far: {{url: '{url}/source'}}}}}}}}}}\n"
        "commands: [{name: list2, steps: ['touch CANARY']}, {name: status, steps: [evil]}]\n"
        f"stores: {{far: {{type: redis, options: {{url: 'redis://127.0.0.1:{port}'}}}}}}\n"
        "hooks: {cd: {command: touch CANARY}}\n"
        f"auth: {json.dumps({'realm': 'canary', 'identities': identities})}\n"
    )
    components = {
        name: {"vars": {"a": '{{ getHostByName "canary.invalid" }}'}, "metadata": {"tags": [name]}}
        for name in (*ODD, LONG[:1000])
    }
    manifest = {
        "import": ["catalog/*", {"path": "catalog/side.yaml.tmpl", "context": {"a": 1}}],
        "vars": {"stage": "dev"},
        "components": {"terraform": components},
    }
    text = json.dumps(manifest)[:-1] + (
        ', "env": {"E": !exec "touch CANARY", "F": !terraform.output app dev x,'
        ' "G": !store far a b, "H": !secret x, "I": !random 1 2, "J": !git.sha },'
        ' "settings": {"s": "{{ (datasource \\"far\\").x }}", "t": "{{ atmos.Component \\"app\\" \\"dev\\" }}",'
        ' "u": "{{ exec \\"evil\\" }}"},'
        ' "hooks": {"h": {"events": ["before.terraform.plan"], "command": "evil"}}}'
    )
    files = {
        "stacks/deploy/dev.yaml": text,
        "stacks/deploy/far.yaml": f"import: ['{url}/far.yaml', 'git::{url}/r.git']\n"
        "vars: {stage: far}\ncomponents: {terraform: {app: {}}}\n",
        "stacks/deploy/long.yaml": json.dumps(
            {"vars": {"stage": LONG, "x": ODD}, "components": {"terraform": {"c": {}}}}
        ),
        "stacks/catalog/one.yaml": "vars: {one: !exec 'touch CANARY'}\n",
        "stacks/catalog/side.yaml.tmpl": "vars: {b: '{{ getHostByName \"canary.invalid\" }}'}\n",
        "components/terraform/app/main.tf": "",
        "profiles/$(touch CANARY)/atmos.yaml": "wrap: {production: '*'}\n",
        ".git/HEAD": "ref: refs/heads/main\n",
        ".git/config": "[core]\n\tfsmonitor = touch CANARY\n\tpager = evil\n",
        ".atmos-wrap.yaml": "identity: dev\n",
    }
    for name, content in files.items():
        (cli.cwd / name).parent.mkdir(parents=True, exist_ok=True)
        (cli.cwd / name).write_text(content)
    for name in ODD:
        (cli.cwd / "stacks/deploy" / name.replace("/", "_")).mkdir()
    cli.environment |= {
        "HTTPS_PROXY": url, "HTTP_PROXY": url, "ALL_PROXY": url, "AWS_ENDPOINT_URL": url,
    }  # fmt: skip
    return cli.cwd


LOOKS = (
    ("status",), ("prompt",), ("list", "stacks"), ("list", "components"), ("list", "identities"),
    ("list", "profiles"), ("profile", "list"), ("why",), ("why", "dev"), ("allow", "--dry-run"),
    ("trust", "list"), ("__complete", "terraform", "plan", ""), ("__complete", "use", ""),
    ("__complete", "auth", "login", ""),
)  # fmt: skip


def raw(text: str) -> list[str]:
    """Return what a terminal would obey."""
    return [c for c in text if not c.isprintable() and c not in "\n\t"]


def nothing_ran(repo: Path, heard: list[str]) -> None:
    """Check the marks of all traps."""
    assert not list(repo.parent.rglob("CANARY"))
    started = repo.parent / "STARTED"
    assert not started.exists(), started.read_text()
    assert heard == []


@pytest.mark.parametrize("consent", [False, True])
def test_looking_runs_nothing_and_asks_nobody(
    cli: Cli,
    repo: Path,
    listener: tuple[int, list[str]],
    tool: Callable[[str], str],
    tmp_path: Path,
    consent: bool,
) -> None:
    if consent:
        assert cli("allow").exit == 0
    log = tmp_path / "calls"
    strace = [tool("strace"), "-f", "-qq", "-o", str(log), "-e", "trace=connect,execve"]
    hook = (("hook-env", shell, str(repo), FORM) for shell in ("bash", "zsh", "fish"))
    shown = ""
    for words in (*LOOKS, *hook):
        done = subprocess.run(
            [*strace, cli.program, *words],
            env=cli.environment, cwd=repo, capture_output=True, text=True, timeout=60,
        )  # fmt: skip
        assert "internal fault" not in done.stderr, words
        calls = log.read_text()
        assert len(re.findall(r"execve\(.*= 0$", calls, flags=re.M)) == 1, (words, calls)
        assert not re.findall(r"connect\(.*AF_INET6?,", calls), (words, calls)
        if words[0] != "hook-env":  # code for a shell, in which everything is quoted
            assert raw(done.stdout + done.stderr) == [], words
        shown += done.stdout
    assert "dev" in shown
    nothing_ran(repo, listener[1])


@pytest.mark.parametrize("name", ["bash", "zsh", "fish"])
def test_entering_runs_nothing_and_prints_nothing_raw(
    cli: Cli, repo: Path, listener: tuple[int, list[str]], tool: Callable[[str], str], name: str
) -> None:
    shell = Hooked(name, tool(name), cli, repo.parent)
    try:
        before = shell.run(f"cd {repo}")
        assert "is not allowed yet" in before
        assert cli("allow").exit == 0
        odd = [repo / "stacks/deploy" / one.replace("/", "_") for one in ODD]
        places = [repo / "stacks/deploy", *odd[:9], repo / "components/terraform/app", repo]
        texts = []
        for number, place in enumerate(places):
            (repo.parent / f"link{number}").symlink_to(place)
            texts.append(shell.run(f"cd -P {repo.parent}/link{number}" if name != "fish"
                                   else f"cd (realpath {repo.parent}/link{number})"))  # fmt: skip
        profile = shell.run("echo profile=$AWS_PROFILE")
        assert "profile=dev" in profile
        # What shells draw themselves are sequences of cursor, colour and title, with names in them.
        ours = "".join(line for text in texts for line in text.split("\n") if "atmos-wrap:" in line)
        assert raw(ours.rstrip("\r")) == []
    finally:
        shell.close()
    nothing_ran(repo, listener[1])


def test_a_trap_that_is_sprung_is_noticed(
    cli: Cli, repo: Path, listener: tuple[int, list[str]]
) -> None:
    """The canaries sing: a command that does run functions leaves their marks."""
    cli("describe", "config")
    assert list(repo.rglob("CANARY"))
    assert (repo.parent / "STARTED").read_text() == "evil\n"
    with socket.create_connection(("127.0.0.1", listener[0])) as connection:
        connection.sendall(b"x")
        connection.recv(1)
    assert listener[1] == ["x"]
