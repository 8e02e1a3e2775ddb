"""The local modules that a Terraform module calls."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.stacks import modules


def write(root: Path, files: dict[str, str]) -> str:
    """Write files; return the directory `app`."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return str(root / "app")


def used(root: Path, files: dict[str, str]) -> list[str]:
    """Return the local modules of `app`, by path from the root."""
    found = modules.used(write(root, files))
    return sorted(str(Path(one).relative_to(root)) for one in found)


def test_modules_are_followed_however_deep_and_round_in_circles(tmp_path: Path) -> None:
    files = {
        "app/main.tf": 'module "a" {\n  source = "../a"\n}\n',
        "a/main.tf": 'module "b" { source = "./b" }\n',
        "a/b/main.tf": 'module "app" {\n  source = "../../app"\n}\nmodule "c" {\n source="../../c" }',
    }
    assert used(tmp_path, files) == ["a", "a/b", "c"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('module "a" {\n  source = "./a"\n}', ["./a"]),
        ('module a {\n  count = 1\n  source = "../a" # why\n}', ["../a"]),
        ('module "a" {\n  source = "acme/a/aws"\n}', []),
        ('module "a" {\n  source = "git::https://example.com/a"\n}', []),
        ('# module "a" {\n# source = "./a"\n# }', []),
        ('/* module "a" { source = "./a" } */', []),
        ('locals {\n  x = <<-EOT\n  module "a" {\n    source = "./a"\n  }\n  EOT\n}', []),
        ('resource "x" "module" {\n  source = "./a"\n}', []),
        ('module "a" {\n  providers = { source = "./x" }\n  source = "./a"\n}', ["./a"]),
        ('module "a" {\n  x = "${f("a(", { b = "}" })}"\n  source = "./a"\n}', ["./a"]),
        ('locals { a = "$${" }\nmodule "a" {\n  source = "./a"\n}', ["./a"]),
        ('locals {\n  a = "${ {\n} }"\n}\nmodule "a" {\n  source = "./a"\n}', ["./a"]),
        ('module "a" {\n  version = "= 1" == source\n  source = "./a"\n}', ["./a"]),
        ("module", []),
    ],
)
def test_sources_are_read_where_terraform_reads_them(
    tmp_path: Path, text: str, found: list[str]
) -> None:
    assert modules.sources(write(tmp_path, {"app/main.tf": text})) == found


def test_json_and_opentofu_files_count_and_broken_ones_do_not(tmp_path: Path) -> None:
    files = {
        "app/a.tf.json": '{"module": {"a": {"source": "./a"}, "b": [{"source": "./b"}]}}',
        "app/b.tofu": 'module "c" { source = "./c" }',
        "app/broken.tf.json": '{"module":',
        "app/list.tf.json": "[]",
        "app/main.tfvars": 'module "d" { source = "./d" }',
    }
    assert sorted(modules.sources(write(tmp_path, files))) == ["./a", "./b", "./c"]


@given(st.text(alphabet='module "a"{}=./\\$#<>-EOT\n*()[]', max_size=200))
def test_any_text_is_read_to_its_end(text: str) -> None:
    assert isinstance(modules._in_hcl("module" + text), list)
