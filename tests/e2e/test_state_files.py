"""Files of ours that are torn, foreign, shared or not writable: handled, and the next run works."""

from __future__ import annotations

import json
import os
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from time import time as now

import pytest

from tests.conftest import Cli, Result
from tests.fakes import aws, chain

RUN = ("exec", "-i", "deploy", "--", "env")


def _run(cli: Cli, **options: object) -> Result:
    done = cli(*RUN, **options)  # type: ignore[arg-type]
    assert "Traceback" not in done.stderr
    return done


def _sessions(state: Path) -> list[Path]:
    found = sorted(state.glob("realms/*/sessions/*.json"))
    assert len(found) == 4
    return found


def _truncate(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:37])


def _empty(file: Path) -> None:
    file.write_bytes(b"")


def _later_schema(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "version": 99}))


def _list(file: Path) -> None:
    file.write_text("[1, 2]")


def _wrong_types(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "fields": {"access_key_id": 1}}))


def _fields_missing(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "fields": {}}))


def _issued_as_text(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "issued": "yesterday"}))


def _region_as_list(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "region": [1], "principal": {}}))


def _binary(file: Path) -> None:
    file.write_bytes(b"\xff\xfe\x00" * 100)


def _deep(file: Path) -> None:
    file.write_text("[" * 100_000)


def _not_a_number(file: Path) -> None:
    file.write_text(json.dumps({**json.loads(file.read_text()), "expires": float("nan")}))


def _symlink(file: Path) -> None:
    elsewhere = file.with_suffix(".elsewhere")
    file.rename(elsewhere)
    file.symlink_to(elsewhere)


def _world_readable(file: Path) -> None:
    file.chmod(0o644)


def _huge(file: Path) -> None:
    file.write_bytes(b" " * (2 << 20) + file.read_bytes())


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file, 0o600)


DAMAGE = [
    _truncate,
    _empty,
    _later_schema,
    _list,
    _wrong_types,
    _fields_missing,
    _issued_as_text,
    _region_as_list,
    _binary,
    _deep,
    _not_a_number,
    _symlink,
    _world_readable,
    _huge,
    _pipe,
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[aws.Fake, chain.Chain]]:
    """One cloud and one repository for all: what differs is under each test's own HOME."""
    with aws.running() as fake:
        yield fake, chain.prepare(fake, tmp_path_factory.mktemp("repo"))


@pytest.fixture
def fake_aws(shared: tuple[aws.Fake, chain.Chain]) -> aws.Fake:
    """The cloud."""
    return shared[0]


@pytest.fixture
def made(shared: tuple[aws.Fake, chain.Chain], environment: dict[str, str]) -> chain.Chain:
    """The chain."""
    environment.update(shared[1].environment)
    return shared[1]


@pytest.fixture
def cli(environment: dict[str, str], made: chain.Chain) -> Cli:
    """The program, in the chain's repository."""
    return Cli(environment, made.repo)


@pytest.fixture
def signed_in(cli: Cli, made: chain.Chain) -> chain.Chain:
    """The chain, with a session of each link."""
    assert _run(cli).exit == 0
    return made


@pytest.mark.parametrize("damage", DAMAGE, ids=lambda each: each.__name__.strip("_"))
def test_a_session_that_cannot_be_trusted_is_signed_anew(
    cli: Cli,
    signed_in: chain.Chain,
    fake_aws: aws.Fake,
    state: Path,
    damage: Callable[[Path], None],
) -> None:
    before = len(fake_aws.calls())
    for file in _sessions(state):
        damage(file)
    for _ in range(2):  # the second finds what the first has written
        done = _run(cli, timeout=60)
        assert (done.exit, done.stderr) == (0, "")
    assert len(fake_aws.calls()) == before + 4
    for file in _sessions(state):
        assert stat.S_ISREG(file.lstat().st_mode)
        assert stat.S_IMODE(file.lstat().st_mode) == 0o600


@pytest.mark.parametrize(
    "damage",
    [_truncate, _fields_missing, _deep, _pipe, _world_readable],
    ids=lambda each: each.__name__.strip("_"),
)
def test_credential_process_survives_a_damaged_session(
    cli: Cli,
    signed_in: chain.Chain,
    fake_aws: aws.Fake,
    damage: Callable[[Path], None],
) -> None:
    variables = dict(line.split("=", 1) for line in _run(cli).stdout.splitlines())
    config = Path(variables["AWS_CONFIG_FILE"]).read_text()
    section = config.partition("[profile deploy]")[2].partition("[profile ")[0]
    command = section.partition("credential_process = ")[2].splitlines()[0]
    handle = command.split()[-1]
    damage(Path(command.split()[-2]).parents[2] / "sessions" / f"{handle}.json")
    asked = subprocess.run(
        command.split(), env=variables, capture_output=True, text=True, timeout=60
    )
    assert (asked.returncode, asked.stderr) == (0, "")
    assert set(json.loads(asked.stdout)) == {
        *("Version", "AccessKeyId", "SecretAccessKey", "SessionToken", "Expiration")
    }


def test_a_directory_in_place_of_a_session_is_an_error_with_its_path(
    cli: Cli, signed_in: chain.Chain, state: Path
) -> None:
    for file in _sessions(state):
        file.unlink()
        file.mkdir()
    done = _run(cli)
    assert done.exit == 69
    assert str(state) in done.stderr


@pytest.mark.parametrize("name", ["config", "credentials", "chains.json"])
def test_a_changed_file_of_a_profile_is_written_again(
    cli: Cli, signed_in: chain.Chain, state: Path, name: str
) -> None:
    (file,) = state.glob(f"realms/*/aws/*/{name}")
    wanted = file.read_bytes()
    file.write_bytes(b"[profile deploy]\ncredential_process = /bin/false\n")
    assert _run(cli).exit == 0
    assert file.read_bytes() == wanted
    file.unlink()
    elsewhere = state.parent / "elsewhere"
    elsewhere.write_bytes(b"mine")
    file.symlink_to(elsewhere)
    assert _run(cli).exit == 0
    assert (file.read_bytes(), file.is_symlink()) == (wanted, False)
    assert elsewhere.read_bytes() == b"mine"


def test_a_home_that_cannot_be_written_is_said_so(cli: Cli, made: chain.Chain) -> None:
    done = _run(cli, env={"XDG_STATE_HOME": "/proc/nowhere"})
    assert (done.exit, done.stdout) == (69, "")
    assert done.stderr.startswith("error: cannot make the directory /proc/nowhere")
    assert "hint: check the disk and the permissions" in done.stderr


def test_a_file_where_the_state_should_be_is_said_so(
    cli: Cli, made: chain.Chain, home: Path
) -> None:
    (home / ".local").write_text("in the way")
    done = _run(cli)
    assert done.exit == 69
    assert str(home / ".local") in done.stderr


def test_nothing_of_ours_is_needed_without_an_identity(
    cli: Cli, made: chain.Chain, home: Path
) -> None:
    (home / ".local").write_text("in the way")
    done = cli("exec", "--identity=false", "--", "echo", "done")
    assert (done.exit, done.stdout) == (0, "done\n")


HOUR, DAY = 3600, 86_400


@pytest.mark.parametrize(
    ("issued", "expires", "anew"),
    [
        # The clock was set back, or forward: both times are off. The user's session is for 12 h.
        (HOUR, HOUR, 4),
        (DAY, DAY, 4),
        (10 * DAY, 10 * DAY, 4),
        (-HOUR, -HOUR, 3),
        (-DAY, -DAY, 4),
        (-10 * DAY, -10 * DAY, 4),
        # One time is off: what is from the future, or over, is worth nothing.
        (HOUR, 0, 4),
        (DAY, 0, 4),
        (0, -HOUR, 3),
        (0, -DAY, 4),
        # What may be true is believed; five minutes are no jump.
        (240, 0, 0),
        (0, HOUR, 0),
        (0, DAY, 0),
        (-HOUR, HOUR, 0),
        (-DAY, DAY, 0),
    ],
)
def test_a_session_is_used_only_if_its_times_can_be_true(
    cli: Cli,
    signed_in: chain.Chain,
    fake_aws: aws.Fake,
    state: Path,
    issued: int,
    expires: int,
    anew: int,
) -> None:
    before = len(fake_aws.calls())
    for file in _sessions(state):
        found = json.loads(file.read_text())
        found |= {"issued": found["issued"] + issued, "expires": found["expires"] + expires}
        file.write_text(json.dumps(found))
    assert _run(cli).exit == 0
    assert len(fake_aws.calls()) == before + anew
    if anew == 4:
        stored = [json.loads(file.read_text())["issued"] for file in _sessions(state)]
        assert [time for time in stored if abs(time - now()) >= 60] == []
