"""The reference of functions, sections and stores names what the program knows, and nothing else."""

from __future__ import annotations

import re

from tests.e2e.docs_fixtures import CLONE
from wrapper import schemas
from wrapper.stacks import functions, manifest, provenance, sections, store

MARKS = {"!append", "!unset"}


def rows(page: str, head: str) -> list[list[str]]:
    """Return the cells of the table of a page whose first column has this title."""
    text = (CLONE / "docs/reference" / page).read_text(encoding="utf-8")
    table = text.partition(f"\n| {head} |")[2].partition("\n\n")[0]
    lines = table.splitlines()[2:]
    return [[cell.strip() for cell in line.split("|")[1:-1]] for line in _whole(lines)]


def _whole(lines: list[str]) -> list[str]:
    return [line.replace("`| default", "`default") for line in lines]


def names(cell: str) -> list[str]:
    """Return the words that the code of a cell begins with."""
    return [code.split()[0] for code in re.findall(r"`([^`]+)`", cell)]


def test_each_function_has_a_row_that_says_whether_it_works() -> None:
    table = rows("functions.md", "function")
    told = {name: row[1] for row in table for name in names(row[0])}
    known = manifest.FUNCTIONS | set(manifest.INCLUDES) | MARKS
    assert sorted(told) == sorted(known)
    works = set(functions.WORKING) | set(manifest.INCLUDES) | MARKS
    refused = {name for name, text in told.items() if text.startswith("not supported")}
    text = {name for name, told_of in told.items() if told_of.startswith("stay text")}
    assert (set(told) - refused - text, text) == (works, set(functions.KEPT))


def test_each_section_has_a_row_with_where_it_may_stand() -> None:
    table = rows("sections.md", "section")
    told = {name: row[1].partition(",")[0] for row in table for name in names(row[0])}
    schema = schemas.load("manifest")
    component = schema["definitions"]["component"]["properties"]
    assert sorted(told) == sorted({*schema["properties"], *component})
    letters = {"global": "T", "type": "Y", "bases": "B", "component": "C", "overrides": "O"}
    layers = {**sections.LAYERS, **provenance.TEXTS, "metadata": ("global", "bases", "component")}
    wanted = {name: "".join(letters[one] for one in which) for name, which in layers.items()}
    # A base's `locals` are those of the component; those of the top and of a type are the file's.
    wanted["locals"] = "TYC"
    assert {name: told[name] for name in wanted} == wanted


def test_each_key_of_metadata_has_a_row() -> None:
    told = [name for row in rows("sections.md", "key of `metadata`") for name in names(row[0])]
    assert sorted(told) == sorted(schemas.load("manifest")["definitions"]["metadata"]["properties"])


def test_each_kind_of_store_has_a_row() -> None:
    table = rows("stores.md", "kind")
    told = {name: row[-1] for row in table for name in names(row[0])}
    refused = {name for name, text in told.items() if text.startswith("not supported")}
    older = {name for row in table for name in names(row[1])}
    assert set(told) - refused == set(store.KINDS)
    assert refused == set(store.REFUSED) | {"hashicorp-vault"}
    assert older | {"hashicorp-vault"} == set(store.OLDER)
