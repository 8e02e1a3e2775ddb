"""Which files differ from a commit, with real git."""

from __future__ import annotations

import hashlib
import os
import subprocess
from pathlib import Path

import pytest

from tests.unit.stacks.conftest import Repo
from wrapper.errors import StackError
from wrapper.stacks import baseline, objects
from wrapper.stacks.baseline import Against
from wrapper.stacks.changes import Changes


class Git:
    """A git repository with one commit."""

    def __init__(self, repo: Repo, *, hashes: str = "sha1") -> None:
        self.repo = repo
        self("init", "-q", "--template=", f"--object-format={hashes}")

    def __call__(self, *words: str) -> str:
        environ = {
            **self.repo.environ,
            **{
                f"GIT_{who}_{what}": "a@b"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }
        done = subprocess.run(
            ["git", *words],
            cwd=self.repo.root,
            env=environ,
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def commit(self, files: dict[str, str]) -> None:
        """Write files and commit everything."""
        self.repo.write(files)
        self("add", "-A")
        self("commit", "-qm", "x")

    def changed(self, *, base: str = "HEAD") -> list[str]:
        """Return the files that differ."""

        def question(_config: object, world: object) -> list[str]:
            with baseline.opened(Against(base=base), str(self.repo.root), world) as other:  # type: ignore[arg-type]
                return Changes(other, self.repo.environ).all_below(other.root)

        found: list[str] = self.repo.ask(question)
        return found


@pytest.fixture
def git(repo: Repo) -> Git:
    """A repository with a commit."""
    made = Git(repo)
    made.commit({"a.tf": "a\n", "b/c.tf": "c\n", ".gitignore": "*.log\n.terraform/\nhome/\n"})
    return made


def test_new_changed_and_deleted_files_differ_and_ignored_ones_do_not(git: Git) -> None:
    assert git.changed() == []
    git.repo.write({"a.tf": "A\n", "new": "x", "x.log": "x", "b/backend.tf.json": "{}"})
    (git.repo.root / "b/c.tf").unlink()
    assert git.changed() == ["a.tf", "b/c.tf", "new"]
    git("add", "-A")
    assert git.changed() == ["a.tf", "b/backend.tf.json", "b/c.tf", "new"]


def test_hashes_of_the_newer_kind_are_known(repo: Repo) -> None:
    git = Git(repo, hashes="sha256")
    git.commit({"a": "a\n", "b": "b\n", ".gitignore": "home/\n"})
    repo.write({"b": "B\n"})
    assert git.changed() == ["b"]


def test_ends_of_lines_that_a_checkout_writes_are_no_difference(git: Git) -> None:
    (git.repo.root / "a.tf").write_bytes(b"a\r\n")
    assert git.changed() == []


def test_a_large_file_is_compared_with_its_pointer(git: Git) -> None:
    data = "large\n" * 1000
    name = hashlib.sha256(data.encode()).hexdigest()
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{name}\nsize {len(data)}\n"
    git.commit({"large.zip": pointer})
    git.repo.write({"large.zip": data})
    assert git.changed() == []
    git.repo.write({"large.zip": data + "more"})
    assert git.changed() == ["large.zip"]


def test_links_and_modes_are_compared(git: Git) -> None:
    (git.repo.root / "link").symlink_to("a.tf")
    git.commit({})
    assert git.changed() == []
    (git.repo.root / "link").unlink()
    (git.repo.root / "link").symlink_to("b")
    assert git.changed() == ["link"]
    git("checkout", "-q", "link")
    git("update-index", "--chmod=+x", "a.tf")
    assert git.changed() == ["a.tf"]


def test_what_a_link_leads_to_differs_with_it(git: Git) -> None:
    root = git.repo.root
    (root / "mixed").mkdir()
    (root / "mixed/c.tf").symlink_to("../b/c.tf")
    (root / "mixed/round").symlink_to("..")
    (root / "linked").symlink_to("b")
    git.commit({"plain/x": ""})

    def question(_config: object, world: object) -> list[str]:
        with baseline.opened(Against(base="HEAD"), str(root), world) as other:  # type: ignore[arg-type]
            changes = Changes(other, git.repo.environ)
            named = ("mixed", "linked", "plain")
            return [changes.below(f"{other.root}/{name}") for name in named] + [
                str(changes.file(f"{other.root}/linked/c.tf"))
            ]

    assert git.repo.ask(question) == ["", "", "", "False"]
    git.repo.write({"b/c.tf": "new\n"})
    assert git.repo.ask(question) == ["mixed/c.tf", "b/c.tf", "", "True"]


def test_files_that_a_sparse_checkout_leaves_out_are_not_gone(git: Git) -> None:
    git("sparse-checkout", "set", "--no-cone", "/*", "!/b/")
    assert not (git.repo.root / "b/c.tf").exists()
    assert git.changed() == []


def test_a_submodule_at_another_commit_differs_with_all_that_is_in_it(git: Git) -> None:
    head = git("rev-parse", "HEAD")
    git("update-index", "--add", "--cacheinfo", f"160000,{head},sub")
    git("commit", "-qm", "sub")
    git.repo.write({"a.tf": "new\n"})
    git("add", "a.tf")
    git("commit", "-qm", "more")
    git("update-index", "--cacheinfo", f"160000,{git('rev-parse', 'HEAD')},sub")

    def question(_config: object, world: object) -> tuple[str, bool, str]:
        with baseline.opened(Against(base="HEAD"), str(git.repo.root), world) as other:  # type: ignore[arg-type]
            changes = Changes(other, git.repo.environ)
            root = other.root
            return (
                changes.below(f"{root}/sub/module"),
                changes.file(f"{root}/sub/x.tf"),
                changes.below(f"{root}/b"),
            )

    assert git.repo.ask(question) == ("sub/module", True, "")


def test_the_files_of_a_commit_are_written_as_they_were(git: Git) -> None:
    (git.repo.root / "link").symlink_to("b/c.tf")
    git.commit({'space and "quote"': "x", "ümlaut": "y"})
    git.repo.write({"b/c.tf": "later\n"})

    def question(_config: object, world: object) -> dict[str, str]:
        with baseline.opened(Against(base="HEAD"), str(git.repo.root), world) as other:  # type: ignore[arg-type]
            own = ("atmos.yaml", "README.md")  # of the fixture
            top = Path(other.directory("stacks"))
            assert os.stat(top.parent).st_mode & 0o077 == 0
            return {
                str(p.relative_to(top)): p.read_text()
                for p in top.rglob("*")
                if p.is_file() and p.name not in own
            }

    assert git.repo.ask(question) == {
        ".gitignore": "*.log\n.terraform/\nhome/\n",
        "a.tf": "a\n",
        "b/c.tf": "c\n",
        "link": "c\n",
        'space and "quote"': "x",
        "ümlaut": "y",
    }


def test_variables_of_a_hook_of_git_do_not_lead_elsewhere(git: Git) -> None:
    git.repo.environ |= {"GIT_DIR": "/nowhere", "GIT_INDEX_FILE": "/nowhere/index"}
    found = objects.top_level(str(git.repo.root / "b"), git.repo.environ)
    assert found == os.path.realpath(git.repo.root)


def test_a_missing_object_is_told(git: Git) -> None:
    with pytest.raises(StackError) as caught:
        list(objects.contents(str(git.repo.root), ["0" * 40], git.repo.environ))
    assert "git has not got the file with the name 000000000000" in str(caught.value)
