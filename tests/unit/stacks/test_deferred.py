"""Functions in one layer and values in another: merged by what the functions give."""

from __future__ import annotations

from typing import Any

import pytest

from .conftest import Repo

MAP = """!exec "echo '{\\"a\\":1,\\"both\\":1}'\""""
LIST = "!exec 'echo [1]'"
DEEP = """!exec "echo '{\\"c\\":3}'\""""
MAPS = """!exec "echo '[{\\"a\\":1},4]'\""""


def _value(repo: Repo, low: str, base: str, own: str, over: str = "", strategy: str = "") -> Any:
    """Return `vars.x` of a component that four layers say something about."""
    said = [f"vars: {{x: {text}}}" if text else "vars: {}" for text in (low, base, own, over)]
    strategic = f", settings: {{list_merge_strategy: {strategy}}}" if strategy else ""
    repo.write(
        {
            "stacks/deploy/dev.yaml": f"""
vars: {{stage: dev}}
terraform: {{{said[0]}}}
overrides: {{{said[3]}}}
components:
  terraform:
    base: {{metadata: {{type: abstract}}, {said[1]}}}
    app: {{metadata: {{inherits: [base]}}, {said[2]}{strategic}}}
"""
        }
    )
    return repo.evaluated("app", "dev").get("x", "nothing")


@pytest.mark.parametrize(
    ("layers", "strategy", "expected"),
    [
        ((MAP, "", "{both: 2, b: 2}"), "", {"a": 1, "both": 2, "b": 2}),
        (("{both: 2, b: 2}", "", MAP), "", {"a": 1, "both": 1, "b": 2}),
        (("{g: 0}", MAP, "{own: 1}", "{o: 1}"), "", {"g": 0, "a": 1, "both": 1, "own": 1, "o": 1}),
        ((MAP, "", "text"), "", "text"),
        (("text", MAP, "{b: 2}"), "", {"b": 2}),
        (("{b: 2}", "", LIST), "", [1]),
        ((LIST, "", "[2]"), "", [2]),
        ((LIST, "", "[2]"), "append", [1, 2]),
        (("[2]", LIST, "[3]"), "append", [2, 1, 3]),
        ((LIST, "", "[{b: 2}, 3]"), "merge", [{"b": 2}, 3]),
        ((MAPS, "", "[{b: 2}]"), "merge", [{"a": 1, "b": 2}, 4]),
        ((MAP, "", "null"), "", {"a": 1, "both": 1}),
        ((MAP, "", "!unset "), "", "nothing"),
        ((MAP, "", "{a: !unset }"), "", {"both": 1}),
        ((MAP, "", "{deep: " + DEEP + "}"), "", {"a": 1, "both": 1, "deep": {"c": 3}}),
        (("{deep: {d: 4}}", "", MAP, "{deep: " + DEEP + "}"), "",
         {"a": 1, "both": 1, "deep": {"c": 3, "d": 4}}),
        (("!git.sha none", "", "{b: 2}"), "", {"b": 2}),
    ],
)  # fmt: skip
def test_what_functions_give_is_merged_with_the_other_layers(
    repo: Repo, layers: tuple[str, ...], strategy: str, expected: Any
) -> None:
    assert _value(repo, *layers, strategy=strategy) == expected


def test_the_texts_of_all_layers_are_rendered_before_they_run(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
vars: {stage: dev, x: !template '{"at":"{{ .vars.stage }}"}'}
components:
  terraform:
    app:
      vars:
        x: {own: "{{ .vars.stage }}"}
        keys: "{{ range $key, $value := . }}[{{ $key }}]{{ end }}"
""",
            ".atmos.d/templates.yaml": "templates: {settings: {enabled: true}}\n",
        }
    )
    found = repo.evaluated("app", "dev")
    assert found["x"] == {"at": "dev", "own": "dev"}
    assert found["keys"] == "".join(
        f"[{key}]" for key in sorted(repo.component("app", "dev").section)
    )


def test_without_running_the_highest_layer_is_shown(repo: Repo) -> None:
    _value(repo, MAP, "{b: 2}", "{c: 3}")
    assert repo.section("app", "dev", "vars")["x"] == {"c": 3}


def test_null_takes_a_variable_of_the_environment_away_whatever_lies_below(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": "vars: {stage: dev}\nenv: {KEY: !env OTHER}\n"
            "components: {terraform: {app: {env: {KEY: null}}}}\n"
        }
    )
    assert repo.section("app", "dev", "env") == {"KEY": None}


def test_bases_are_merged_with_each_other_first(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
vars: {stage: dev, x: {all: 1}}
components:
  terraform:
    one: {metadata: {type: abstract}, vars: {x: null}}
    two: {metadata: {type: abstract}, vars: {x: {two: 2}}}
    app: {metadata: {inherits: [one, two]}}
"""
        }
    )
    assert repo.section("app", "dev", "vars")["x"] == {"all": 1, "two": 2}
