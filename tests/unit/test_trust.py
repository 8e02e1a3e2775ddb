"""Consent: what is remembered, what counts as changed, and what is never safe."""

from __future__ import annotations

import io
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from wrapper import consents, owners, trust
from wrapper.config import Options
from wrapper.errors import ConfigError, StoreError
from wrapper.hook import closure
from wrapper.world import World

KEY = "prod-admin.principal.assume_role"
ROLE = "arn:aws:iam::{}:role/admin"
ATMOS = """\
import: [parts/*.yaml]
auth:
  providers: {corp: {kind: mock}}
  identities:
    dev: {kind: mock, via: {provider: corp}, default: true}
    prod-admin:
      kind: aws/assume-role
      via: {identity: dev}
      principal: {assume_role: "arn:aws:iam::111111111111:role/admin"}
"""


@pytest.fixture
def world(home: Path, tmp_path: Path) -> World:
    """Return a world in a repository of its own."""
    home.chmod(0o700)
    repo = tmp_path / "repo"
    (repo / "parts").mkdir(parents=True)
    (repo / ".git").mkdir()
    (repo / "atmos.yaml").write_text(ATMOS)
    (repo / "parts" / "a.yaml").write_text("wrap: {production: 'prod-*'}\n")
    return World(
        {"HOME": str(home)}, str(repo), io.StringIO(), io.StringIO(), io.StringIO(), time.time,
        False, False, lambda _: False,
    )  # fmt: skip


def look(world: World) -> trust.Closure:
    """Return the closure of the world's directory."""
    found = closure.read(world, Options())
    assert found is not None
    return found[1]


def state(world: World) -> str:
    """Return the verdict's state for the world's directory."""
    return trust.verdict(look(world), world).state


def test_a_directory_is_unknown_then_allowed_denied_and_forgotten(world: World) -> None:
    found = look(world)
    states = [state(world)]
    trust.allow(found, world)
    states.append(state(world))
    trust.deny(found.root, world)
    states.append(state(world))
    assert trust.revoke(found.root, world)
    states.append(state(world))
    assert states == ["unknown", "allowed", "denied", "unknown"]
    assert trust.listed(world) == []
    assert not trust.revoke(found.root, world)


@pytest.mark.parametrize("name", ["atmos.yaml", "parts/a.yaml"])
def test_one_byte_in_any_file_asks_again_and_says_that_nothing_changed_in_meaning(
    world: World, name: str
) -> None:
    trust.allow(look(world), world)
    with open(f"{world.cwd}/{name}", "a", encoding="utf-8") as stream:
        stream.write("\n")
    found = trust.verdict(look(world), world)
    assert (found.state, found.changes, found.files) == ("changed", (), (f"changed: {name}",))


def test_a_change_is_shown_by_its_meaning(world: World) -> None:
    trust.allow(look(world), world)
    path = Path(world.cwd, "atmos.yaml")
    path.write_text(ATMOS.replace("1111:role", "1112:role"))
    Path(world.cwd, "parts", "b.yaml").write_text("wrap: {delivery: env}\n")
    found = trust.verdict(look(world), world)
    assert found.changes == (
        f"{KEY}: {ROLE.format('111111111111')} → {ROLE.format('111111111112')}",
        "wrap.delivery: (none) → env",
    )
    assert found.files == ("changed: atmos.yaml", "new: parts/b.yaml")


def test_a_content_allowed_before_needs_no_second_consent(world: World) -> None:
    """A branch that is checked out again, a profile that is switched back."""
    path = Path(world.cwd, "atmos.yaml")
    trust.allow(look(world), world)
    path.write_text(ATMOS + "# another branch\n")
    trust.allow(look(world), world)
    path.write_text(ATMOS)
    assert state(world) == "allowed"


def test_what_a_link_in_the_tree_leads_to_is_part_of_the_content(world: World) -> None:
    """Two links that change places leave all contents as they are."""
    repo = Path(world.cwd)
    (repo / "one").write_text("wrap: {a: 1}\n")
    (repo / "two").write_text("wrap: {a: 2}\n")
    (repo / "parts" / "x.yaml").symlink_to("../one")
    (repo / "parts" / "y.yaml").symlink_to("../two")
    trust.allow(look(world), world)
    (repo / "parts" / "x.yaml").unlink()
    (repo / "parts" / "y.yaml").unlink()
    (repo / "parts" / "x.yaml").symlink_to("../two")
    (repo / "parts" / "y.yaml").symlink_to("../one")
    assert state(world) == "changed"


def test_another_directory_in_the_same_place_is_noticed(world: World, tmp_path: Path) -> None:
    trust.allow(look(world), world)
    os.rename(world.cwd, tmp_path / "moved")
    os.system(f"cp -a {tmp_path}/moved {world.cwd}")
    found = trust.verdict(look(world), world)
    assert found.state == "changed"
    assert found.files == (f"new: another directory is at {world.cwd}",)
    assert state(world._replace(cwd=str(tmp_path / "moved"))) == "unknown"


def test_a_denial_holds_for_whatever_has_the_name(world: World) -> None:
    found = look(world)
    trust.deny(found.root, world)
    os.rename(world.cwd, f"{world.cwd}2")
    os.makedirs(world.cwd)
    Path(world.cwd, "atmos.yaml").write_text(ATMOS)
    assert state(world) == "denied"


def test_a_link_to_the_directory_is_the_directory(world: World, tmp_path: Path) -> None:
    """direnv/direnv#850: what `allow` allowed through a link, `deny` must reach through it."""
    (tmp_path / "link").symlink_to(world.cwd)
    through = world._replace(cwd=str(tmp_path / "link"))
    trust.allow(look(through), through)
    assert state(world) == "allowed"
    trust.deny(closure.root(through, Options()), through)
    assert (state(world), state(through)) == ("denied", "denied")


@pytest.mark.parametrize(("mine", "other"), [("Repo", "repo"), ("caf\u00e9", "cafe\u0301")])
def test_spellings_of_one_name_share_a_place_but_are_two_directories_where_the_disk_says_so(
    world: World, tmp_path: Path, mine: str, other: str
) -> None:
    for name in (mine, other):
        os.makedirs(tmp_path / "x" / name)
        (tmp_path / "x" / name / "atmos.yaml").write_text("base_path: .\n")
    first, second = (world._replace(cwd=str(tmp_path / "x" / n)) for n in (mine, other))
    assert owners.folded(first.cwd) == owners.folded(second.cwd)
    trust.allow(look(first), first)
    assert state(second) == "unknown"
    trust.deny(look(second).root, second)
    assert (state(first), state(second)) == ("allowed", "denied")


def test_a_spelling_that_the_disk_takes_for_the_same_directory_is_the_same(
    world: World, tmp_path: Path
) -> None:
    """A folding disk is played by a link that is not resolved: one inode under two spellings."""
    found = look(world)
    trust.allow(found, world)
    shouted = str(tmp_path / "REPO")
    os.symlink(world.cwd, shouted)
    respelled = trust.Closure(
        shouted,
        {shouted + path[len(world.cwd) :]: mark for path, mark in found.files.items()},
        found.settings,
        shouted,
    )
    assert trust.digest(respelled) == trust.digest(found)
    known = trust.listed(world)
    assert consents.find(known, shouted) == known[0]


# What others could change.


def unsafe(world: World, paths: list[str] | None = None) -> trust.Verdict:
    """Return the verdict, which must be the same before and after consent, and refuse `allow`."""
    found = look(world)
    with pytest.raises(ConfigError, match="not allowed") as refused:
        trust.allow(found, world)
    assert refused.value.hints[0]
    verdict = trust.verdict(found, world)
    assert verdict.state == "unsafe"
    if paths is not None:
        assert verdict.files == tuple(paths)
    return verdict


@pytest.mark.parametrize("mode", [0o666, 0o602])
def test_a_file_that_others_can_write_is_never_allowed(world: World, mode: int) -> None:
    """direnv/direnv#445: an `.envrc` that others may write is changed right after the look."""
    trust.allow(look(world), world)
    path = f"{world.cwd}/parts/a.yaml"
    os.chmod(path, mode)
    assert "can be written by everybody" in unsafe(world, [path]).reason


def test_a_directory_on_the_way_that_others_can_write_is_unsafe(world: World) -> None:
    os.chmod(f"{world.cwd}/parts", 0o777)
    assert unsafe(world, [f"{world.cwd}/parts"])


def test_below_a_sticky_directory_what_is_ones_own_is_safe(world: World, tmp_path: Path) -> None:
    os.chmod(tmp_path, 0o1777)
    trust.allow(look(world), world)
    assert state(world) == "allowed"
    os.chmod(tmp_path, 0o777)
    assert unsafe(world, [str(tmp_path)])


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files away; CI runs as root")
def test_another_owners_file_or_directory_is_unsafe(world: World) -> None:
    """direnv/direnv#23: in a shared directory, what somebody else wrote is not yours."""
    trust.allow(look(world), world)
    path = f"{world.cwd}/parts/a.yaml"
    os.chown(path, 12345, 0)
    assert unsafe(world, [path]).reason.endswith("belongs to user 12345")
    os.chown(path, 0, 0)
    os.chown(world.cwd, 12345, 0)
    assert unsafe(world, [world.cwd])
    sudo = world._replace(environ={**world.environ, "SUDO_UID": "12345"})
    trust.allow(look(sudo), sudo)
    assert state(sudo) == "allowed"


@pytest.mark.skipif(os.geteuid() != 0, reason="needs to give files away; CI runs as root")
def test_nothing_is_written_into_somebody_elses_home(world: World, home: Path) -> None:
    """`sudo -E` keeps HOME: root's files there would lock the user out."""
    os.chown(home, 12345, 12345)
    with pytest.raises(StoreError, match="nothing is written there") as refused:
        trust.allow(look(world), world)
    assert "sudo -H" in refused.value.hints[0]


def test_a_group_with_nobody_else_in_it_may_write(world: World) -> None:
    path = f"{world.cwd}/parts/a.yaml"
    os.chown(path, -1, os.getgid())
    os.chmod(path, 0o664)
    assert state(world) == "unknown"
    if os.geteuid() == 0:
        os.chown(path, -1, 12345)
        assert "by its group" in unsafe(world, [path]).reason


def test_a_link_out_of_the_tree_is_unsafe(world: World, tmp_path: Path) -> None:
    (tmp_path / "outside.yaml").write_text("wrap: {a: 1}\n")
    link = Path(world.cwd, "parts", "z.yaml")
    link.symlink_to(tmp_path / "outside.yaml")
    assert "is a link out of" in unsafe(world, [str(link)]).reason


def test_an_import_of_a_path_outside_is_part_of_the_content(world: World, tmp_path: Path) -> None:
    """direnv/direnv#249, #448: what is sourced from elsewhere changes without being asked for."""
    outside = tmp_path / "shared.yaml"
    outside.write_text("wrap: {a: 1}\n")
    Path(world.cwd, "atmos.yaml").write_text(ATMOS.replace("parts/*.yaml", str(outside)))
    trust.allow(look(world), world)
    outside.write_text("wrap: {a: 2}\n")
    assert trust.verdict(look(world), world).changes == ("wrap.a: 1 → 2",)


@pytest.mark.parametrize("make", [os.mkfifo, lambda p: os.symlink("/dev/zero", p)])
def test_a_pipe_or_a_device_is_an_error_and_blocks_nobody(
    world: World, make: Callable[[str], None]
) -> None:
    os.mkdir(f"{world.cwd}/.atmos.d")
    make(f"{world.cwd}/.atmos.d/x.yaml")
    with pytest.raises(ConfigError, match="not a plain file"):
        look(world)


def test_a_huge_file_is_not_read(world: World) -> None:
    with open(f"{world.cwd}/parts/huge.yaml", "wb") as stream:
        stream.truncate(1 << 32)
    with pytest.raises(ConfigError, match="larger than"):
        look(world)


def test_a_store_that_others_can_write_holds_no_consent(world: World) -> None:
    trust.allow(look(world), world)
    directory = os.path.dirname(trust.verdict(look(world), world).watch[0])
    os.chmod(directory, 0o777)
    found = trust.verdict(look(world), world)
    assert (found.state, "can be written by others" in found.reason) == ("unknown", True)


def test_a_broken_store_is_no_consent(world: World) -> None:
    trust.allow(look(world), world)
    store = Path(trust.verdict(look(world), world).watch[0])
    for text in ("", "[", "[1]", "[1,[1]]", '[2,["x"]]', "[" * 100_000, "{}"):
        store.write_text(text)
        assert state(world) == "unknown"


# The user's own list.


def listing(world: World, text: str) -> Path:
    """Write the user's list."""
    path = Path(trust.prefix_file(world))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def test_a_prefix_is_matched_by_whole_names_of_real_paths(world: World, tmp_path: Path) -> None:
    """jdx/mise#1501: links in trusted paths. `/a/rep` is no prefix of `/a/repo`."""
    (tmp_path / "link").symlink_to(tmp_path)
    told = {}
    for line in (f"{tmp_path}/rep", str(tmp_path), f"{tmp_path}/repo/", f"{tmp_path}/link", "repo",
                 f"{tmp_path}/other/../repo", f"# {tmp_path}", "."):  # fmt: skip
        listing(world, f"# mine\n{line}\n")
        told[line.replace(str(tmp_path), "T")] = state(world)
    assert told == {
        "T/rep": "unknown", "T": "allowed", "T/repo/": "allowed", "T/link": "allowed",
        "repo": "unknown", "T/other/../repo": "allowed", "# T": "unknown", ".": "unknown",
    }  # fmt: skip


def test_a_denial_beats_the_list(world: World, tmp_path: Path) -> None:
    """jdx/mise#11152: there a trusted path overrides what the user said no to."""
    listing(world, str(tmp_path))
    trust.deny(look(world).root, world)
    assert state(world) == "denied"


def test_a_list_that_others_can_write_does_not_count(world: World, tmp_path: Path) -> None:
    path = listing(world, str(tmp_path))
    path.chmod(0o666)
    found = trust.verdict(look(world), world)
    assert (found.state, "does not count" in found.reason) == ("unknown", True)


def test_the_list_does_not_reach_files_outside_it(world: World, tmp_path: Path) -> None:
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "x.yaml").write_text("wrap: {a: 1}\n")
    Path(world.cwd, "atmos.yaml").write_text(ATMOS.replace("parts/*.yaml", "../downloads/x.yaml"))
    listing(world, world.cwd)
    assert state(world) == "unknown"


# What is read, and only once.


def test_the_configuration_and_its_digests_come_from_the_same_bytes(world: World) -> None:
    """The file is swapped all the time; what is parsed is always what was hashed."""
    import hashlib

    texts = {}
    for number in (1, 2):
        data = ATMOS.replace("111111111111", str(number) * 12).encode()
        texts[hashlib.sha256(data).hexdigest()] = str(number) * 12
        Path(world.cwd, f"{number}.txt").write_bytes(data)
    path, stop = f"{world.cwd}/atmos.yaml", threading.Event()

    def swap() -> None:
        while not stop.is_set():
            for number in (1, 2):
                os.link(f"{world.cwd}/{number}.txt", f"{path}.new")
                os.rename(f"{path}.new", path)
                os.path.lexists(f"{path}.new") and os.unlink(f"{path}.new")

    thread = threading.Thread(target=swap)
    thread.start()
    seen = set()
    try:
        left = 120
        while left > 0 or len(seen) < 2:
            left -= 1
            found = look(world)
            role = found.settings["auth.identities.prod-admin.principal.assume_role"]
            assert texts[found.files[path]] in role
            seen.add(role)
    finally:
        stop.set()
        thread.join()


def test_a_file_read_twice_with_two_contents_is_an_error(world: World) -> None:
    from wrapper.config import functions

    path = f"{world.cwd}/parts/a.yaml"
    around = functions.Surroundings({}, world.cwd, "", True, {})
    functions.read_bytes(path, around)
    Path(path).write_text("wrap: {}\n")
    with pytest.raises(ConfigError, match="changed while it was read"):
        functions.read_bytes(path, around)


def test_a_file_replaced_after_it_was_read_is_not_allowed(world: World) -> None:
    """A path that leads elsewhere at the check than at the read: the check is of what was read."""
    found = look(world)
    listing(world, world.cwd)
    path = f"{world.cwd}/parts/a.yaml"
    Path(f"{path}.new").write_text("wrap: {production: 'prod-*'}\n")
    os.rename(f"{path}.new", path)
    verdict = trust.verdict(found, world)
    assert (verdict.state, "was replaced" in verdict.reason) == ("unsafe", True)


def test_secrets_are_marked_and_never_stored(world: World, home: Path) -> None:
    Path(world.cwd, "parts", "a.yaml").write_text(
        "auth: {identities: {u: {kind: aws/user, credentials: "
        "{access_key_id: !env KEY, secret_access_key: in-the-file}}}}\n"
    )
    seen = world._replace(environ={**world.environ, "KEY": "from-a-variable"})
    found = look(seen)
    trust.allow(found, seen)
    text = "".join(p.read_text() for p in home.rglob("*") if p.is_file() and "trust" in str(p))
    text += json.dumps(found.settings)
    assert "in-the-file" not in text
    assert "from-a-variable" not in text
    key = found.settings["auth.identities.u.credentials.access_key_id"]
    assert key == '"(secret of a variable)"'
    before = found.settings["auth.identities.u.credentials.secret_access_key"]
    Path(world.cwd, "parts", "a.yaml").write_text(
        "auth: {identities: {u: {kind: aws/user, credentials: "
        "{access_key_id: !env KEY, secret_access_key: another}}}}\n"
    )
    assert look(seen).settings["auth.identities.u.credentials.secret_access_key"] != before


def test_names_cannot_look_like_other_keys(world: World) -> None:
    Path(world.cwd, "parts", "a.yaml").write_text(
        'auth: {identities: {wrap: {kind: mock}, a.b: {kind: mock}, "x\\ny": {kind: mock}}}\n'
    )
    shown = trust.meaning_changes({}, look(world).settings)
    assert {t for t in shown if t.endswith("→ mock") and t[0] == '"'} == {
        '"wrap".kind: (none) → mock', '"a.b".kind: (none) → mock', '"x\\ny".kind: (none) → mock',
    }  # fmt: skip


def test_a_pin_is_part_of_the_content(world: World) -> None:
    os.mkdir(f"{world.cwd}/prod")
    inside = world._replace(cwd=f"{world.cwd}/prod")
    trust.allow(look(world), world)
    assert state(inside) == "allowed"
    Path(inside.cwd, ".atmos-wrap.yaml").write_text("identity: prod-admin\n")
    found = trust.verdict(look(inside), inside)
    assert (found.state, found.changes) == ("changed", ("pin.identity: (none) → prod-admin",))
    assert state(world) == "allowed"
    known, options = look(inside), Options()
    assert closure.pinned(inside, options, known).identity == "prod-admin"
    Path(inside.cwd, ".atmos-wrap.yaml").write_text("identity: dev\n")
    with pytest.raises(ConfigError, match="changed while it was read"):
        closure.pinned(inside, options, known)


def test_a_repository_with_drop_ins_only_needs_consent_too(world: World, home: Path) -> None:
    """GHSA-77g9-363w-rccq: without the one file that is checked, nothing asked for consent.

    The user's own file in the home directory takes in what a repository drops beside it.
    """
    os.unlink(f"{world.cwd}/atmos.yaml")
    (home / ".atmos").mkdir()
    (home / ".atmos" / "atmos.yaml").write_text("base_path: .\n")
    assert closure.read(world, Options()) is None
    os.mkdir(f"{world.cwd}/.atmos.d")
    Path(world.cwd, ".atmos.d", "x.yaml").write_text("auth: {identities: {evil: {kind: mock}}}\n")
    found = look(world)
    assert (found.root, trust.verdict(found, world).state) == (world.cwd, "unknown")


def test_prune_forgets_what_is_gone(world: World, tmp_path: Path) -> None:
    found = look(world)
    trust.allow(found, world)
    assert trust.prune(world) == []
    os.rename(world.cwd, tmp_path / "away")
    assert trust.prune(world) == [found.root]
    assert trust.listed(world) == []


@pytest.mark.parametrize("packed", [False, True])
def test_what_git_says_is_read_without_git(
    world: World, tool: Callable[[str], str], packed: bool
) -> None:
    import subprocess

    def git(*words: str) -> str:
        identity = ["-c", "user.name=alice", "-c", "user.email=alice@example.com"]
        done = subprocess.run(
            [tool("git"), *identity, *words], cwd=world.cwd, env=dict(world.environ), check=True,
            capture_output=True, text=True,
        )  # fmt: skip
        return done.stdout.strip()

    os.rmdir(f"{world.cwd}/.git")
    git("init", "-q", "-b", "feature/x")
    git("commit", "-q", "--allow-empty", "-m", "one")
    git("remote", "add", "origin", "https://git.example.com/shop/infra.git")
    if packed:
        git("pack-refs", "--all")
    Path(world.cwd, "parts", "a.yaml").write_text(
        "wrap: {b: !git.branch '', s: !git.sha '', u: !git.url '', o: !git.owner ''}\n"
    )
    found = closure.read(world._replace(environ={**world.environ, "PATH": "/nowhere"}), Options())
    assert found is not None
    assert found[0].data["wrap"] == {
        "b": "feature/x",
        "s": git("rev-parse", "HEAD"),
        "u": "https://git.example.com/shop/infra.git",
        "o": "shop",
    }
    assert f"{world.cwd}/.git/HEAD" in found[1].files
