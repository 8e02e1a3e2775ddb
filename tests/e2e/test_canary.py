"""No secret is where somebody could read it: environments, arguments, output, files."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Cli
from tests.fakes import aws, chain

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
# Long enough to be seen, and with a client that asks `credential_process` itself.
MODULE = f"""
resource "terraform_data" "app" {{
  input = var.text
  provisioner "local-exec" {{
    command = "{sys.executable} -c 'import boto3; print(boto3.client(\\"sts\\").get_caller_identity()[\\"Arn\\"])'; sleep 0.5"
  }}
}}
"""

OURS = "/atmos-wrap\nterraform\n"
ASKS = "credential-process"


class Seen(NamedTuple):
    """A process as it was at one moment."""

    pid: int
    arguments: str
    environment: str


class Watch:
    """Reads the arguments and environments of a session's processes as often as it can."""

    def __init__(self, session: int) -> None:
        self.seen: set[Seen] = set()
        self._session = session
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def stop(self) -> set[Seen]:
        self._over.set()
        self._thread.join()
        return self.seen

    def _run(self) -> None:
        while not self._over.is_set():
            for entry in os.listdir("/proc"):
                if entry.isdigit():
                    self._look(int(entry))
            time.sleep(0.002)

    def _look(self, pid: int) -> None:
        place = Path("/proc", str(pid))
        try:
            fields = (place / "stat").read_text().rpartition(")")[2].split()
            if int(fields[3]) != self._session:
                return
            before = (place / "cmdline").read_bytes()
            environment = (place / "environ").read_bytes()
            after = (place / "cmdline").read_bytes()
        except OSError:
            return
        if before == after:  # it became another program in between: look again next time
            self.seen.add(Seen(pid, _text(before), _text(environment)))


def _text(raw: bytes) -> str:
    return raw.replace(b"\0", b"\n").decode("utf-8", "replace")


def _watched(cli: Cli, *args: str, env: Mapping[str, str]) -> tuple[int, str, set[Seen]]:
    process = cli.start(*args, env=env)
    watch = Watch(process.pid)
    try:
        stdout, stderr = process.communicate(timeout=90)
    except subprocess.TimeoutExpired:
        process.kill()
        raise
    finally:
        seen = watch.stop()
    return process.returncode, stdout + stderr, seen


def _used(cli: Cli, env: Mapping[str, str], *, asks: bool) -> tuple[str, set[Seen]]:
    """Plan, apply, and show until it was seen who asks for sessions, which lives for a moment."""
    output, seen = "", set()
    for args in (("plan", "-out=saved.tfplan"), ("apply", "-auto-approve"), *[("output",)] * 20):
        code, said, found = _watched(
            cli, "terraform", args[0], "app", "-s", "prod", *args[1:], env=env
        )
        assert code == 0, said
        output, seen = output + said, seen | found
        if args == ("output",) and asks == any(ASKS in each.arguments for each in seen):
            break
    return output, seen


def _sessions(state: Path) -> list[str]:
    """Return the secrets of all sessions that were stored."""
    found = []
    for file in state.glob("realms/*/sessions/*.json"):
        fields = json.loads(file.read_text())["fields"]
        found += [fields["secret_access_key"], fields["session_token"], fields["access_key_id"]]
    return found


def _files(*places: Path) -> Iterator[tuple[Path, bytes]]:
    for place in places:
        for file in place.rglob("*"):
            if file.is_file() and not file.is_symlink():
                yield file, file.read_bytes()


@pytest.mark.parametrize("keys", ["in variables", "in the file"])
@pytest.mark.parametrize("delivery", ["pointers", "files"])
def test_no_secret_is_seen_outside_the_state_directory(
    cli: Cli,
    make_chain: chain.Make,
    fake_aws: aws.Fake,
    terraform: str,
    state: Path,
    home: Path,
    tmp_path: Path,
    keys: str,
    delivery: str,
) -> None:
    made = make_chain(module=MODULE, atmos=f"wrap: {{delivery: {delivery}}}\n")
    long_lived = [made.user.secret_access_key, made.user.access_key_id]
    manifest = made.repo / "atmos.yaml"
    if keys == "in the file":
        text = manifest.read_text()
        for name in ("ALICE_KEY_ID", "ALICE_SECRET"):
            text = text.replace(f"!env {name}", cli.environment.pop(name))
        manifest.write_text(text)
    env = {"ATMOS_LOGS_LEVEL": "debug"}
    output, seen = _used(cli, env, asks=delivery == "pointers")
    questions = ["auth whoami", "auth list", "auth env", "auth validate", "list identities"]
    if keys == "in variables":  # else they show what the file says
        questions += ["describe config", "describe component app -s prod"]
    for line in questions:
        done = cli(*line.split(), env=env)
        output += done.stdout + done.stderr
    sessions = _sessions(state)
    assert len(sessions) == 4 * 3
    assert made.session("deploy") in output

    programs = {Path(each.arguments.partition("\n")[0]).name for each in seen}
    assert {"terraform", Path(sys.executable).name} <= programs
    assert any(ASKS in each.arguments for each in seen) == (delivery == "pointers")
    for secret in (*long_lived, *sessions):
        assert secret not in output
        assert not [each.arguments for each in seen if secret in each.arguments]
        # Who started us may have given us his keys; nobody else has them, nor we any session.
        holders = [each for each in seen if secret in each.environment]
        if secret in long_lived:
            holders = [each for each in holders if OURS not in each.arguments]
        assert [each.arguments for each in holders] == []
    for file, content in _files(home, made.repo, Path(cli.environment["TMPDIR"])):
        inside = file.is_relative_to(state)
        for secret in long_lived if inside else (*long_lived, *sessions):
            if not (file == manifest and secret in long_lived):
                assert secret.encode() not in content, file
    written = sorted((made.repo / "components/app").glob("*.json"))
    assert [(file.name, file.stat().st_mode & 0o777) for file in written] == [
        ("backend.tf.json", 0o600),
        ("prod-app.terraform.tfvars.json", 0o600),
    ]
    for file in state.rglob("*"):
        wanted = 0o700 if file.is_dir() else 0o600
        assert (str(file), oct(stat.S_IMODE(file.lstat().st_mode))) == (str(file), oct(wanted))


@pytest.mark.parametrize("fault", ["refused", "unreachable", "wrong secret"])
def test_an_error_tells_no_secret(
    cli: Cli, make_chain: chain.Make, fake_aws: aws.Fake, state: Path, fault: str
) -> None:
    made = make_chain()
    secrets = [made.user.access_key_id, made.user.secret_access_key]
    env = {"ATMOS_LOGS_LEVEL": "trace"}
    if fault == "refused":
        fake_aws.drop_policy(made.roles["hub"], "assume")
    elif fault == "unreachable":
        assert cli("exec", "-i", "gate", "--", "true").exit == 0
        env |= {"AWS_ENDPOINT_URL_STS": "http://127.0.0.1:9", "AWS_MAX_ATTEMPTS": "1"}
    else:
        secrets.append(made.user.secret_access_key[::-1])
        env |= {"ALICE_SECRET": secrets[-1]}
    done = cli("terraform", "plan", "app", "-s", "prod", env=env)
    assert (done.exit, done.stdout) == (77, "")
    stored = "".join(file.read_text() for file in state.rglob("*.failed"))
    for secret in (*secrets, *_sessions(state)):
        assert secret not in done.stderr
        assert secret not in stored
