"""Every kind of file below STATE, damaged in every way: made anew, or an error that names it."""

from __future__ import annotations

import os
import shutil
import stat
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from tests.conftest import Cli
from tests.e2e.ends import left_alone
from tests.fakes import aws, portal, saml
from tests.fakes.damage import DAMAGE

CONFIG = """\
base_path: .
components: {{terraform: {{base_path: components, auto_generate_backend_file: true}}}}
stacks: {{base_path: stacks, included_paths: ["*.yaml"], name_pattern: "{{stage}}"}}
auth:
  realm: lab
  keyring: {{type: file}}
  providers:
    sso:
      kind: aws/iam-identity-center
      start_url: "{start}"
      region: eu-west-1
      auto_provision_identities: true
      spec: {{endpoint_url: "{portal}"}}
    acme:
      kind: aws/saml
      url: "{saml}"
      region: eu-west-1
      username: alice
      password: !env IDP_PASSWORD
      spec: {{endpoint_url: "{sts}"}}
  identities:
    me:
      kind: aws/user
      default: true
      credentials: {{access_key_id: !env KEY_ID, secret_access_key: !env SECRET, region: us-east-1}}
    dev: {{kind: aws/permission-set, via: {{provider: sso}}, principal: {{name: Admin, account: {{name: dev}}}}}}
    admin: {{kind: aws/assume-role, via: {{provider: acme}}, principal: {{assume_role: "{role}"}}, spec: {{endpoint_url: "{sts}"}}}}
    wrong: {{kind: aws/assume-role, via: {{identity: me}}, principal: {{assume_role: "arn:aws:iam::222222222222:role/none"}}}}
    glass: {{kind: aws/user, credentials: {{region: us-east-1}}}}
    page: {{kind: aws/user, credentials: {{region: us-east-1}}}}
"""
RUN = ("exec", "-i", "me", "--", "true")


class Lab(NamedTuple):
    """One repository whose every kind of file was written, and a copy of what it left."""

    cli: Cli
    state: Path
    kept: Path

    def restore(self) -> None:
        """Put everything back."""
        shutil.rmtree(self.state)
        shutil.copytree(self.kept, self.state, symlinks=True)

    def files(self, pattern: str) -> list[Path]:
        """Return the files of a kind; a `*` is within one name."""
        return sorted(path for path in self.state.glob(pattern) if path.is_file())


def _run(cli: Cli, *command: str, code: int = 0) -> None:
    done = cli(*command, timeout=120)
    assert done.exit == code, (command, done.stderr)


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """Use everything once."""
    home, repo = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("repo")
    with ExitStack() as stack:
        fake = stack.enter_context(aws.running())
        sso = stack.enter_context(portal.running())
        idp, sts = stack.enter_context(saml.running())
        user = fake.user("111111111111", "me")
        given = {"start": portal.START_URL, "portal": sso.endpoint, "saml": idp.url}
        (repo / "atmos.yaml").write_text(CONFIG.format(**given, sts=sts.endpoint, role=saml.ADMIN))
        for name, text in {
            "stacks/lab.yaml": "vars: {stage: lab}\ncomponents: {terraform: {part: {}}}\n"
            "terraform: {backend_type: local, backend: {local: {path: state}}}\n",
            "components/part/main.tf": 'variable "stage" { type = string }\n',
        }.items():
            (repo / name).parent.mkdir(parents=True, exist_ok=True)
            (repo / name).write_text(text)
        cli = Cli(
            {
                "HOME": str(home),
                "PATH": os.environ["PATH"],
                "NO_COLOR": "1",
                "TERM": "dumb",
                "LANG": "C.UTF-8",
                "CHECKPOINT_DISABLE": "1",
                "ATMOS_FORCE_TTY": "true",
                "CI": "true",
                "KEY_ID": user.access_key_id,
                "SECRET": user.secret_access_key,
                "IDP_PASSWORD": idp.users["alice"],
                "ATMOS_KEYRING_PASSWORD": "correct horse",
                **fake.environment(),
            },
            repo,
        )
        state = home / ".local/state/atmos-wrap"
        _run(cli, "allow")
        _run(cli, *RUN)
        _run(cli, "exec", "-i", "dev", "--", "true")
        _run(cli, "exec", "-i", "admin", "--", "true")
        _run(cli, "exec", "-i", "wrong", "--", "true", code=77)
        _run(cli, "terraform", "plan", "part", "-s", "lab")
        _keep_without_a_terminal(cli)
        left_alone(home)  # the portal's identities may be listed in the background
        kept = tmp_path_factory.mktemp("kept") / "state"
        shutil.copytree(state, kept)
        yield Lab(cli, state, kept)


def _keep_without_a_terminal(cli: Cli) -> None:
    """Write what the program writes only where somebody types: keys, and a sign-in by browser."""
    from wrapper import world as outside
    from wrapper.auth import keyring
    from wrapper.auth.kinds import _signin

    world = outside.real()._replace(environ=dict(cli.environment), cwd=str(cli.cwd))
    place = _signin.Place("page", "lab", "us-east-1")
    token = _signin._Kept("token", world.now() + 3600, "key")
    _signin._store(_signin.path(place, world), place, token)
    store = keyring.opened(keyring.settings({"keyring": {"type": "file"}}, world), world)
    keyring.keep(store, "lab", "glass", keyring.Keys("AKIA", "secret"))


REMADE, IGNORED = "made anew", "left as it is"
# A lock is used as it is: nothing in it is believed.
LINES = {"a link": "cannot lock {file}: Too many levels", "a pipe": "cannot lock {file}: it is no"}
LOCK = {**LINES, "a directory": "cannot lock {file}: Is a directory"}
WRITE = {"a directory": "cannot write {file}: Is a directory"}
REMOVE = {"a directory": "cannot remove {file}: Is a directory"}
# Damages for what takes a browser or Terraform; all are read by one function, tested with all.
FEW = ("truncated", "another schema", "a link", "a directory", "a pipe")
EVERY = tuple(DAMAGE)
TEXT = tuple(name for name in DAMAGE if name != "another schema")
NO_SESSIONS = "realms/*/sessions/*.json"


class Row(NamedTuple):
    """One kind of file: where it is, the command that reads it, and what comes of damage.

    `errors` says what is told of damages that are an error with exit code 69; `told` is a word that
    the command says when the file was not believed. `holds` picks one of several by a word in it;
    `without` is removed before, else nobody would read it.
    """

    pattern: str
    command: tuple[str, ...]
    outcome: str
    errors: Mapping[str, str]
    damages: tuple[str, ...] = EVERY
    code: int = 0
    told: str = ""
    holds: str = ""
    without: str = ""
    env: Mapping[str, str | None] = {}


ROWS = {
    "session": Row(NO_SESSIONS, RUN, REMADE, WRITE, holds='identity \\"me\\"'),
    "remembered failure": Row(
        "realms/*/sessions/*.failed",
        ("exec", "-i", "wrong", "--", "true"),
        REMADE,
        REMOVE,
        code=77,
    ),
    "lock of a session": Row(
        "realms/*/sessions/*.lock", RUN, IGNORED, LOCK, TEXT, holds='"me"', without=NO_SESSIONS
    ),
    "fingerprint": Row("realms/*/users/*.json", RUN, REMADE, WRITE),
    "AWS configuration": Row("realms/*/aws/*/config", RUN, REMADE, WRITE, TEXT),
    "AWS credentials": Row(
        "realms/*/aws/*/credentials", RUN, REMADE, WRITE, ("garbage", "10 MB", *TEXT[4:])
    ),
    "snapshot": Row("realms/*/aws/*/chains.json", RUN, REMADE, WRITE),
    "portal's identities": Row("sso/*.identities", ("auth", "list"), IGNORED, {}),
    "refresh token": Row(
        "sso/signin-*.json",
        ("exec", "-i", "page", "--", "true"),
        IGNORED,
        {},
        code=77,
        told='identity "page": signing in by browser needs a terminal',
        env={"ATMOS_FORCE_TTY": None},
    ),
    "browser's session": Row(
        "saml/*.json",
        ("exec", "-i", "admin", "--", "true"),
        REMADE,
        WRITE,
        FEW,
        without=NO_SESSIONS,
    ),
    "consent": Row("trust/*.json", ("allow",), REMADE, WRITE),
    "meaning of a consent": Row("trust/*.meaning", ("allow",), REMADE, WRITE),
    "lock of consents": Row("trust/lock", ("allow",), IGNORED, LOCK, TEXT),
    # It has no schema: a key that is not known is a difference, and stops the run.
    "place of a state": Row(
        "places/*.json",
        ("terraform", "plan", "part", "-s", "lab"),
        REMADE,
        WRITE,
        tuple(name for name in FEW if name != "another schema"),
    ),
    "turn of a component": Row(
        "turns/*.lock",
        ("terraform", "plan", "part", "-s", "lab"),
        IGNORED,
        LOCK,
        ("garbage", "a link", "a directory", "a pipe"),
    ),
}
# Files whose damages have tests of their own.
ELSEWHERE = {
    "portal's token": "sso/[0-9a-f]*.json",  # test_sso_files.py
    "file keyring": "keyring/*.json",  # test_file_keyring.py
    "lock of a portal": "sso/[0-9a-f]*.json.lock",  # as that of a session
    "lock of a browser": "saml/*.json.lock",
    "log of the portal's list": "sso/*.identities.log",  # written anew, read by its writer
}


def test_every_file_that_is_left_has_a_row(lab: Lab) -> None:
    patterns = [row.pattern for row in ROWS.values()] + list(ELSEWHERE.values())
    found = [path.relative_to(lab.kept) for path in lab.kept.rglob("*") if path.is_file()]
    assert [str(path) for path in found if not any(path.match(each) for each in patterns)] == []
    log = ELSEWHERE["log of the portal's list"]  # gone when the list was made in time
    unused = [p for p in patterns if not any(path.match(p) for path in found) and p != log]
    assert unused == []


@pytest.mark.parametrize("name", ROWS)
def test_a_damaged_file_is_made_anew_or_an_error_that_names_it(lab: Lab, name: str) -> None:
    faults = [fault for damage in ROWS[name].damages if (fault := _fault(lab, ROWS[name], damage))]
    assert faults == []


def _fault(lab: Lab, row: Row, damage: str) -> str:
    """Return what is wrong after one damage, '' for nothing."""
    lab.restore()
    picked = [f for f in lab.files(row.pattern) if row.holds in f.read_text()]
    file = max(picked, key=lambda each: each.stat().st_mtime)
    for other in lab.files(row.without) if row.without else ():
        other.unlink()
    DAMAGE[damage](file)
    done = lab.cli(*row.command, timeout=60, env=row.env)
    told = row.errors.get(damage)
    code, text = (69, "error: " + told.format(file=file)) if told else (row.code, row.told)
    if done.exit != code or text not in done.stderr or "internal fault" in done.stderr:
        return f"{damage}: {done.exit}: {done.stderr}"
    if told or row.outcome == IGNORED or not os.path.lexists(file):
        return ""
    status = file.lstat()
    ours = stat.S_ISREG(status.st_mode) and status.st_uid == os.geteuid()
    if not ours or stat.S_IMODE(status.st_mode) != 0o600 or status.st_size > 1 << 20:
        return f"{damage}: not made anew: {status}"
    return ""
