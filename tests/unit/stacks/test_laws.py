"""Laws: what is merged depends on nothing but the manifests; merging keeps to its rules.

`make fuzz` runs these with many more examples (FUZZ_EXAMPLES).
"""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wrapper import goyaml
from wrapper.errors import WrapError
from wrapper.merge import STRATEGIES, UNSET, Append, deep_merge, merge_all, prune

from .conftest import Repo

EXAMPLES = int(os.environ.get("FUZZ_EXAMPLES", "0"))
FEW = settings(max_examples=EXAMPLES or 8, deadline=None, suppress_health_check=list(HealthCheck))
MANY = settings(max_examples=EXAMPLES * 10 or 150, deadline=None)
ATMOS = """
base_path: .
components: {terraform: {base_path: components/terraform}}
stacks: {base_path: stacks, included_paths: ["deploy/**/*"], name_template: "{{ .vars.stage }}"}
settings: {list_merge_strategy: STRATEGY}
templates: {settings: {enabled: true}}
"""
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), st.sampled_from(("", "x", "é")))
KEYS = st.sampled_from("abc")
VALUES: st.SearchStrategy[Any] = st.recursive(
    SCALARS,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=3)),
    max_leaves=8,
)
MAPS = st.dictionaries(KEYS, VALUES, max_size=3)
CATALOG = ("c/a", "c/b", "c/sub/d")
IMPORTS = st.lists(
    st.sampled_from((*CATALOG, "c/*", "c/**/*", "c/{b,a}", {"path": "c/a", "context": {"n": 1}})),
    max_size=3,
)
COMPONENTS = st.dictionaries(
    st.sampled_from(("app", "base", "other")),
    st.fixed_dictionaries(
        {"vars": MAPS, "env": MAPS},
        optional={
            "metadata": st.fixed_dictionaries(
                {"inherits": st.lists(st.sampled_from(("base", "other")), max_size=2)}
            )
        },
    ),
    max_size=3,
)
PIECES = {
    "settings": MAPS,
    "overrides": st.fixed_dictionaries({"vars": MAPS}),
    "locals": st.just({"l": "local"}),
    "terraform": st.fixed_dictionaries({"vars": MAPS}),
}


@st.composite
def trees(draw: st.DrawFn) -> dict[str, str]:
    """Return the files of a repository: three in a catalog, three top-level ones."""
    files = {"atmos.yaml": ATMOS.replace("STRATEGY", draw(st.sampled_from(STRATEGIES)))}
    for name in (*CATALOG, "deploy/x", "deploy/y", "deploy/sub/z"):
        data: dict[str, Any] = {"vars": draw(MAPS)} | draw(
            st.fixed_dictionaries({}, optional=PIECES)
        )
        if "locals" in data:
            data["vars"]["from_locals"] = "{{ .locals.l }}"
        data["components"] = {"terraform": draw(COMPONENTS)}
        if name.startswith("deploy"):
            data["vars"]["stage"] = draw(st.sampled_from(("one", "two", name[-1])))
            data["import"] = draw(IMPORTS)
        elif name == "c/a":
            data["import"] = draw(st.sampled_from(([], ["c/b"], ["c/sub/d"])))
        files[f"stacks/{name}.yaml"] = goyaml.dumps(data)
    return files


def answers(root: Path, cache: Path, cwd: Path | None = None) -> str:
    """Return everything that can be asked about a repository, errors and warnings included."""
    repo = Repo(root)
    repo.environ = {"HOME": str(root), "XDG_CACHE_HOME": str(cache)}
    if cwd is not None:
        repo.environ |= {"ATMOS_CLI_CONFIG_PATH": str(root), "ATMOS_BASE_PATH": str(root)}
        repo.root = cwd
    known = repo.stacks()
    found: list[Any] = [known, repo.stderr]
    for stack in (*known, "nowhere"):
        for name in ("app", "base", "other"):
            try:
                section = repo.component(name, stack).section
                found.append({key: section[key] for key in sorted(section) if key != "auth"})
            except WrapError as error:
                found.append([error.message, [str(at) for at in error.at]])
    return json.dumps(found, indent=1)


def write(root: Path, files: dict[str, str], order: list[str]) -> Path:
    for name in order:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(files[name])
    return root


def index_of(cache: Path) -> Path:
    return next((cache / "atmos-wrap").glob("index-*.sqlite"))


def age(root: Path) -> None:
    """Let the index trust what it reads."""
    for path in (root / "stacks").rglob("*"):
        os.utime(path, ns=(10**18, 10**18))


def flip(cache: Path, chance: random.Random) -> None:
    content = bytearray(index_of(cache).read_bytes())
    for _ in range(chance.choice((1, 20, 500))):
        content[chance.randrange(len(content))] = chance.randrange(256)
    index_of(cache).write_bytes(content)


def torn(cache: Path, chance: random.Random) -> None:
    content = index_of(cache).read_bytes()
    index_of(cache).write_bytes(content[: chance.randrange(len(content))])


def other_value(cache: Path, chance: random.Random) -> None:
    """Change what is stored in a way that sqlite cannot see."""
    import sqlite3

    del chance
    base = sqlite3.connect(index_of(cache))
    base.execute("""UPDATE files SET doc = replace(doc, '"stage"', '"egats"')""")
    base.execute("UPDATE stacks SET name = name || 'x'")
    base.commit()
    base.close()


def other_schema(cache: Path, chance: random.Random) -> None:
    import sqlite3

    del chance
    base = sqlite3.connect(index_of(cache))
    base.execute("DROP TABLE manifests")
    base.execute("CREATE TABLE manifests (path TEXT, more TEXT)")
    base.commit()
    base.close()


def read_only(cache: Path, chance: random.Random) -> None:
    del chance
    shutil.rmtree(cache)
    cache.write_text("a file where the directory should be")


def left_alone(cache: Path, chance: random.Random) -> None:
    del cache, chance


STATES: tuple[Callable[[Path, random.Random], None], ...] = (
    left_alone, flip, flip, torn, other_value, other_schema, read_only,
)  # fmt: skip


@pytest.mark.parametrize("state", dict.fromkeys(STATES))
@settings(parent=FEW, max_examples=EXAMPLES or 3)
@given(files=trees(), seed=st.integers(0, 10**6))
def test_the_state_of_the_index_changes_no_answer(
    tmp_path_factory: pytest.TempPathFactory, state: Any, files: dict[str, str], seed: int
) -> None:
    scratch = tmp_path_factory.mktemp("law")
    root, cache = write(scratch / "repo", files, sorted(files)), scratch / "cache"
    age(root)
    expected = answers(root, cache)
    state(cache, random.Random(seed))
    assert answers(root, cache) == expected
    assert answers(root, cache) == expected


@FEW
@given(files=trees(), later=trees())
def test_an_index_of_what_was_there_before_changes_no_answer(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str], later: dict[str, str]
) -> None:
    scratch = tmp_path_factory.mktemp("law")
    root = write(scratch / "repo", files, sorted(files))
    age(root)
    answers(root, scratch / "cache")
    write(root, later, sorted(later)[1::2])
    if len(later["atmos.yaml"]) % 2:
        (root / "stacks/c/b.yaml").unlink()
    assert answers(root, scratch / "cache") == answers(root, scratch / "fresh")


@FEW
@given(files=trees(), seed=st.integers(0, 10**6))
def test_neither_directory_nor_order_of_files_changes_an_answer(
    files: dict[str, str], seed: int
) -> None:
    # This one lists files in the order in which they were made.
    memory = "/dev/shm" if os.path.isdir("/dev/shm") else None
    with tempfile.TemporaryDirectory(dir=memory) as scratch:
        _order_changes_nothing(Path(scratch), files, seed)


def _order_changes_nothing(scratch: Path, files: dict[str, str], seed: int) -> None:
    root = write(scratch / "repo", files, sorted(files))
    expected = answers(root, scratch / "cache")
    elsewhere = scratch / "elsewhere"
    elsewhere.mkdir()
    found = answers(root, scratch / "other", cwd=elsewhere)
    assert found == expected
    # The same files made in another order: file systems list them in another one, too.
    shutil.rmtree(root)
    order = sorted(files, reverse=seed % 2 == 0)
    if seed % 3 == 0:
        random.Random(seed).shuffle(order)
    write(root, files, order)
    assert answers(root, scratch / "again") == expected


ASK = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from tests.unit.stacks.test_laws import answers
sys.stdin.readline()
print(answers(Path(sys.argv[1]), Path(sys.argv[2])))
"""


@settings(parent=FEW, max_examples=EXAMPLES // 10 or 2)
@given(files=trees())
def test_writers_at_once_get_the_same_answer(
    tmp_path_factory: pytest.TempPathFactory, files: dict[str, str]
) -> None:
    scratch = tmp_path_factory.mktemp("law")
    root = write(scratch / "repo", files, sorted(files))
    here = str(Path(__file__).resolve().parents[3])
    argv = [sys.executable, "-c", ASK, str(root), str(scratch / "cache"), here]
    both = [
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(3)
    ]
    for one in both:
        assert one.stdin
        one.stdin.write("\n")
        one.stdin.flush()
    found = {one.communicate(timeout=60)[0] for one in both}
    assert found == {answers(root, scratch / "fresh") + "\n"}


LAYERS: st.SearchStrategy[Any] = st.recursive(
    st.one_of(SCALARS, st.just(UNSET)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.lists(inner, max_size=3).map(Append),
        st.dictionaries(KEYS, inner, max_size=3),
    ),
    max_leaves=6,
).filter(lambda value: isinstance(value, dict))
STRATEGY = st.sampled_from(STRATEGIES)


@MANY
@given(low=MAPS, high=MAPS, strategy=STRATEGY)
def test_merging_leaves_its_layers_as_they_were(low: Any, high: Any, strategy: str) -> None:
    before = repr((low, high))
    deep_merge(low, high, strategy)
    assert repr((low, high)) == before


@MANY
@given(a=MAPS, b=MAPS, c=MAPS)
def test_replacing_is_associative_where_maps_stay_maps(a: Any, b: Any, c: Any) -> None:
    left = deep_merge(deep_merge(a, b), c)
    right = deep_merge(a, deep_merge(b, c))
    if _same_kinds(a, b) and _same_kinds(b, c) and _same_kinds(a, c):
        assert left == right
    # In any case the highest has its way.
    assert all(left[key] == value for key, value in c.items() if not isinstance(value, dict))


def _same_kinds(one: Any, other: Any) -> bool:
    """Say whether no key is a map here and something else there (where Atmos is not associative)."""
    return all(
        isinstance(one[key], dict) == isinstance(other[key], dict)
        and (not isinstance(one[key], dict) or _same_kinds(one[key], other[key]))
        for key in one.keys() & other.keys()
    )


@MANY
@given(value=MAPS, strategy=st.sampled_from(("replace", "merge")))
def test_a_layer_merged_twice_is_that_layer(value: Any, strategy: str) -> None:
    assert deep_merge(value, value, strategy) == value
    assert merge_all([value, value, value], strategy) == value


@MANY
@given(value=LAYERS, strategy=STRATEGY)
def test_nothing_below_or_above_changes_nothing(value: Any, strategy: str) -> None:
    assert prune(merge_all([{}, value, {}], strategy)) == prune(value)
    assert prune(prune(value)) == prune(value)


@MANY
@given(a=st.lists(SCALARS), b=st.lists(SCALARS), c=st.lists(SCALARS))
def test_appending_lists_is_associative(a: Any, b: Any, c: Any) -> None:
    one, two, three = {"x": a}, {"x": b}, {"x": c}
    left = deep_merge(deep_merge(one, two, "append"), three, "append")
    assert left == deep_merge(one, deep_merge(two, three, "append"), "append") == {"x": a + b + c}
