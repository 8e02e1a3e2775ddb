"""What imports see of the files above them, what they hand on, and how they may be written."""

from __future__ import annotations

from typing import Any

import pytest

from tests.unit.stacks.conftest import ATMOS, Repo
from wrapper.errors import WrapError


def test_a_file_with_locals_shows_its_sections_to_its_imports(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
import: [catalog/a]
locals: {where: eu, n: 3}
settings: {label: "{{ .locals.where }}-x"}
vars: {stage: dev, n: "{{ .locals.n }}"}
components: {terraform: {app: {}}}
""",
            "stacks/catalog/a.yaml": """
import: [catalog/b]
components: {terraform: {app: {vars: {a: "{{ .settings.label }}", n: "{{ .vars.n }}"}}}}
""",
            "stacks/catalog/b.yaml": """
locals: {where: us}
vars: {own: b}
components: {terraform: {app: {vars: {b: "{{ .locals.where }}/{{ .vars.own }}/{{ .settings.label }}"}}}}
""",
        }
    )
    found = repo.section("app", "dev", "vars")
    assert found == {"stage": "dev", "n": 3, "a": "eu-x", "b": "us/b/eu-x", "own": "b"}


def test_an_import_that_needs_more_than_the_file_above_has_is_left_to_the_component(
    repo: Repo,
) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "import: [catalog/a]\nlocals: {l: 1}\nvars: {stage: dev}\n"
            "components: {terraform: {app: {}}}\n",
            "stacks/catalog/a.yaml": "vars: {a: '{{ .atmos_component }}', b: '{{ .vars.stage }}'}\n",
        }
    )
    found = repo.section("app", "dev", "vars")
    assert found == {"stage": "dev", "a": "{{ .atmos_component }}", "b": "{{ .vars.stage }}"}


def test_a_section_is_rendered_when_another_part_of_the_file_cannot_be(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
locals: {where: eu}
vars: {stage: dev, w: "{{ .locals.where }}"}
components: {terraform: {app: {vars: {a: "{{ .atmos_component }}"}}}}
"""
        }
    )
    found = repo.section("app", "dev", "vars")
    assert found == {"stage": "dev", "w": "eu", "a": "{{ .atmos_component }}"}


def test_import_paths_see_all_that_earlier_imports_say_in_one_section(repo: Repo) -> None:
    repo.write(
        {
            "atmos.yaml": ATMOS + "templates: {settings: {enabled: true}}\n",
            "stacks/deploy/dev.yaml": """
import: [one, two, "catalog/{{ .settings.at.a }}/{{ .settings.at.b }}"]
vars: {stage: dev}
components: {terraform: {app: {}}}
""",
            "stacks/one.yaml": "settings: {at: {a: x}}\n",
            "stacks/two.yaml": "settings: {at: {b: y}}\n",
            "stacks/catalog/x/y.yaml": "vars: {found: 1}\n",
        }
    )
    assert repo.section("app", "dev", "vars") == {"stage": "dev", "found": 1}


def test_lists_of_overrides_are_appended_once_for_each_way_that_they_come(repo: Repo) -> None:
    """Overrides come down to an import and back from it, and are merged both times, as in Atmos."""
    repo.write(
        {
            "atmos.yaml": ATMOS + "settings: {list_merge_strategy: append}\n",
            "stacks/deploy/dev.yaml": """
import: [catalog/a, catalog/b]
overrides: {vars: {l: [root]}}
vars: {stage: dev}
components: {terraform: {app: {vars: {l: [own]}}}}
""",
            "stacks/catalog/a.yaml": """
overrides: {vars: {l: [a]}}
components: {terraform: {in-a: {vars: {l: [own]}}}}
""",
            "stacks/catalog/b.yaml": "components: {terraform: {in-b: {vars: {l: [own]}}}}\n",
        }
    )
    found = {name: repo.section(name, "dev", "vars")["l"] for name in ("in-a", "in-b", "app")}
    assert found == {
        "in-a": ["own", "a", "root"],
        "in-b": ["own", "a", "root", "root"],
        "app": ["own", "a", "root", "a", "root", "root", "root"],
    }


@pytest.mark.parametrize(
    ("field", "told"),
    [
        ("context: [1]", "`context` must be a map"),
        ("context: text", "`context` must be a map"),
        ("skip_if_missing: 'yes'", "`skip_if_missing` must be true or false"),
        ("skip_templates_processing: 1", "`skip_templates_processing` must be true or false"),
        ("nested_imports: 1", "`nested_imports` must be text"),
    ],
)
def test_fields_of_an_import_have_their_types(repo: Repo, field: str, told: str) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": f"vars: {{stage: dev}}\nimport:\n  - path: a\n    {field}\n"
            "components: {terraform: {app: {}}}\n",
            "stacks/a.yaml": "vars: {}\n",
        }
    )
    with pytest.raises(WrapError) as caught:
        repo.component("app", "dev")
    assert told in str([caught.value.hints, caught.value.message])
    assert [str(at).rpartition("/")[2] for at in caught.value.at] == ["dev.yaml:4:5"]


@pytest.mark.parametrize("field", ["context: null", "skip_if_missing: null", "unknown: [1]"])
def test_null_and_unknown_fields_of_an_import_say_nothing(repo: Repo, field: str) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": f"vars: {{stage: dev}}\nimport:\n  - path: a\n    {field}\n"
            "components: {terraform: {app: {}}}\n",
            "stacks/a.yaml": "vars: {a: '{{ .x }}'}\n",
        }
    )
    found: Any = repo.section("app", "dev", "vars")
    assert found == {"stage": "dev", "a": "{{ .x }}"}


@pytest.mark.parametrize(
    ("name", "text", "place"),
    [
        ("a.yaml.tmpl", "vars:\n  a: {{ .given }}\n  b: {{ .none }}\n", "a.yaml.tmpl:3:9"),
        ("a.yaml.tmpl", "vars:\n  b: {{ upper .none }}\n", "a.yaml.tmpl:2:9"),
        ("a.yaml.tmpl", "vars:\n  b: {{ if }}\n", "a.yaml.tmpl:2:12"),
        ("a.yaml", "vars:\n  a: '{{ .given }}'\n  b: '{{ .none.x }}'\n", "a.yaml:3:10"),
        ("a.yaml", "vars:\n  b: '{{ .given | nofunc }}'\n", "a.yaml:2:19"),
    ],
)
def test_what_an_import_cannot_be_rendered_for_is_told_with_its_line(
    repo: Repo, name: str, text: str, place: str
) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "import: [{path: catalog/a, context: {given: 1}}]\n"
            "vars: {stage: dev}\ncomponents: {terraform: {app: {}}}\n",
            f"stacks/catalog/{name}": text,
        }
    )
    with pytest.raises(WrapError) as caught:
        repo.component("app", "dev")
    assert [str(at).rpartition("/")[2] for at in caught.value.at] == [place]


def test_the_locals_of_a_type_are_over_those_of_the_file_which_do_not_see_them(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
locals: {a: root, x: "{{ .locals.a }}"}
terraform: {locals: {a: type, y: "{{ .locals.a }}/{{ .locals.x }}"}}
vars: {stage: dev, a: "{{ .locals.a }}", x: "{{ .locals.x }}", y: "{{ .locals.y }}"}
components: {terraform: {app: {}}}
"""
        }
    )
    found = repo.section("app", "dev", "vars")
    assert found == {"stage": "dev", "a": "type", "x": "root", "y": "type/root"}
