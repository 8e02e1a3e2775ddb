"""The index changes how long an answer takes, never the answer."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wrapper.errors import WrapError

from .conftest import ATMOS, Repo

MANIFEST = "vars: {{stage: {0}, v: {1}}}\nimport: [{2}]\ncomponents: {{terraform: {{app: {{}}}}}}\n"


def index_of(repo: Repo) -> Path:
    return next((repo.root / "home/.cache/atmos-wrap").glob("index-*.sqlite"))


def two_stacks(repo: Repo) -> Repo:
    return repo.write(
        {
            "stacks/catalog/c.yaml": "vars: {c: 1}\n",
            "stacks/deploy/a.yaml": MANIFEST.format("a", 1, "catalog/c"),
            "stacks/deploy/b.yaml": MANIFEST.format("b", 1, "catalog/*"),
        }
    )


def settle(repo: Repo) -> None:
    """Age every file, so that the index may trust what it reads."""
    for path in (repo.root / "stacks").rglob("*"):
        os.utime(path, ns=(10**18, 10**18))


def answers(repo: Repo) -> list[Any]:
    """Return everything that can be asked, errors and warnings included."""
    found: list[Any] = [repo.stacks(), repo.stderr]
    for stack in ("a", "b", "x"):
        try:
            found.append(repo.section("app", stack, "vars"))
        except WrapError as error:
            found.append((error.message, error.at))
    return found


def test_a_warm_index_answers_without_yaml(repo: Repo) -> None:
    two_stacks(repo)
    time.sleep(0.05)  # past the tick within which files are not trusted
    repo.component("app", "a")
    program = (
        "import sys\n"
        "from tests.unit.stacks.conftest import Repo\n"
        "from pathlib import Path\n"
        "from wrapper import config, stacks, world\n"
        "w = world.real()\n"
        "c = config.load(w)\n"
        "before = set(sys.modules)\n"
        "for name in ('yaml', 'wrapper.yamlio'): sys.modules.pop(name, None)\n"
        "stacks.component(c, w, 'app', 'a')\n"
        "bad = {'yaml', 'wcmatch', 'gotpl', 'multiprocessing', 'wrapper.stacks.build'}\n"
        "print(sorted(bad & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [
            sys.executable,
            "-c",
            program.replace("from tests.unit.stacks.conftest import Repo\n", ""),
        ],
        env=repo.environ,
        cwd=repo.root,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.stdout, done.stderr) == ("[]\n", "")


def damage_nothing(repo: Repo) -> None:
    del repo


def damage_remove(repo: Repo) -> None:
    index_of(repo).unlink()


def damage_garbage(repo: Repo) -> None:
    index_of(repo).write_bytes(b"not a database at all" * 100)


def damage_truncate(repo: Repo) -> None:
    path = index_of(repo)
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def damage_middle(repo: Repo) -> None:
    path = index_of(repo)
    content = bytearray(path.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 4096] = b"\xff" * 4096
    path.write_bytes(content)


def damage_read_only(repo: Repo) -> None:
    shutil.rmtree(repo.root / "home/.cache")
    (repo.root / "home/.cache").write_text("a file where the directory should be")


@pytest.mark.parametrize(
    "damage",
    [
        damage_nothing,
        damage_remove,
        damage_garbage,
        damage_truncate,
        damage_middle,
        damage_read_only,
    ],
)
def test_answers_do_not_depend_on_the_index(repo: Repo, damage: Any) -> None:
    expected = answers(two_stacks(repo))
    damage(repo)
    assert answers(repo) == expected
    assert answers(repo) == expected


def test_another_manifest_that_takes_the_name_is_noticed(repo: Repo) -> None:
    two_stacks(repo)
    settle(repo)
    repo.component("app", "a")
    (repo.root / "stacks/deploy/b.yaml").write_text(MANIFEST.format("a", 2, "catalog/*"))
    with pytest.raises(WrapError, match="duplicate"):
        repo.component("app", "a")


def test_many_writers_at_once_all_get_the_answer(repo: Repo) -> None:
    two_stacks(repo)
    found: list[Any] = []

    def ask() -> None:
        mine = Repo(repo.root)
        found.append(mine.section("app", "b", "vars"))

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [{"c": 1, "stage": "b", "v": 1}] * 8


HOLDER = """
import sqlite3, sys
from wrapper import config, world
from wrapper.stacks import opened

here = world.real()
repository = opened(config.load(here), here)
if sys.argv[1] == "reading":
    print(repository.stacks(), len(repository.index.listings()), flush=True)
else:
    base = sqlite3.connect(repository.index.path, isolation_level=None)
    base.execute("BEGIN IMMEDIATE")
    print("writing", flush=True)
sys.stdin.readline()
"""


@contextmanager
def another_process(repo: Repo, does: str) -> Iterator[None]:
    """Keep a process that holds the index open, for reading or for writing."""
    argv = [sys.executable, "-c", HOLDER, does]
    pipe = subprocess.PIPE
    with subprocess.Popen(
        argv, env=repo.environ, cwd=repo.root, stdin=pipe, stdout=pipe, text=True
    ) as holder:
        assert holder.stdout
        assert holder.stdout.readline()
        try:
            yield
        finally:
            holder.communicate("\n", timeout=60)


def test_a_process_that_reads_keeps_nobody_from_storing(repo: Repo) -> None:
    two_stacks(repo)
    settle(repo)
    repo.stacks()
    with another_process(repo, "reading"):
        repo.write({"stacks/deploy/new.yaml": MANIFEST.format("new", 1, "")})
        assert repo.stacks() == ["a", "b", "new"]
    base = sqlite3.connect(index_of(repo))
    assert base.execute("SELECT name FROM stacks ORDER BY name").fetchall()[-1] == ("new",)
    base.close()


def test_a_second_writer_answers_without_storing(repo: Repo) -> None:
    two_stacks(repo)
    settle(repo)
    repo.stacks()
    with another_process(repo, "writing"):  # until it is told to end: nobody waits for that
        repo.write({"stacks/deploy/new.yaml": MANIFEST.format("new", 1, "")})
        assert repo.stacks() == ["a", "b", "new"]
    base = sqlite3.connect(index_of(repo))
    assert base.execute("SELECT name FROM stacks ORDER BY name").fetchall() == [("a",), ("b",)]
    base.close()


def test_many_files_are_read_in_parallel_to_the_same_result(repo: Repo) -> None:
    repo.write(
        {f"stacks/deploy/m{n}.yaml": MANIFEST.format(f"s{n}", n, "catalog/c") for n in range(130)}
    )
    repo.write({"stacks/catalog/c.yaml": "vars: {c: 1}\n"})
    assert len(repo.stacks()) == 130
    assert repo.section("app", "s99", "vars") == {"c": 1, "stage": "s99", "v": 99}


NAMES = ("deploy/a.yaml", "deploy/b.yaml", "deploy/sub/d.yaml", "catalog/c.yaml", "catalog/d.yaml")
CHANGES = st.tuples(
    st.sampled_from(NAMES),
    st.one_of(
        st.none(),
        st.tuples(
            st.sampled_from(("a", "b", "x")),
            st.integers(0, 3),
            st.sampled_from(("", "catalog/c", "catalog/*", "catalog/c, catalog/d")),
        ),
        st.sampled_from(("a: [", "- 1", "vars: [1]", "vars: {x: !odd 1}")),
    ),
)


def apply(root: Path, name: str, change: Any) -> None:
    path = root / "stacks" / name
    if change is None:
        path.unlink(missing_ok=True)
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    if isinstance(change, str):
        path.write_text(change)
    elif name.startswith("catalog"):
        path.write_text(f"vars: {{c: {change[1]}}}\n")
    else:
        path.write_text(MANIFEST.format(*change))


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(changes=st.lists(CHANGES, min_size=1, max_size=4))
def test_the_answer_after_any_edits_is_that_of_a_fresh_look(
    tmp_path_factory: pytest.TempPathFactory, changes: list[Any]
) -> None:
    root = tmp_path_factory.mktemp("repo")
    (root / "stacks/deploy").mkdir(parents=True)
    warm = Repo(root).write({"atmos.yaml": ATMOS, "stacks/catalog/c.yaml": "vars: {c: 0}\n"})
    for name, change in changes:
        apply(root, name, change)
        cold = Repo(root)
        cold.environ = {**cold.environ, "XDG_CACHE_HOME": str(root / "fresh")}
        shutil.rmtree(root / "fresh", ignore_errors=True)
        assert answers(warm) == answers(cold)
