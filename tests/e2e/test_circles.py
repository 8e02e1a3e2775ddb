"""Functions that lead back to where they began, and functions that are not there."""

from __future__ import annotations

import pytest

from tests.conftest import Cli

FILES = {
    "atmos.yaml": """\
base_path: .
components: {terraform: {base_path: components}}
stacks: {base_path: stacks, included_paths: ["*.yaml"], name_template: "{{ .vars.stage }}"}
templates: {settings: {enabled: true}}
""",
    "stacks/dev.yaml": """\
vars: {stage: dev}
terraform: {backend_type: local}
components:
  terraform:
    a:
      backend:
        local:
          path: !terraform.state b path
    b:
      backend:
        local:
          path: !terraform.state a path
    c: {vars: {x: '{{ (atmos.Component "d" "dev").vars.x }}'}}
    d: {vars: {x: '{{ (atmos.Component "c" "dev").vars.x }}'}}
    reader: {vars: {x: !terraform.state a x}}
    special:
      vars:
        good: 1
        bad: !cel 1 + 1
    good: {vars: {x: !env NOBODY fine}}
""",
    "components/a/main.tf": "",
    "components/b/main.tf": "",
}


@pytest.fixture
def written(cli: Cli) -> Cli:
    for name, text in FILES.items():
        path = cli.cwd / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return cli


@pytest.mark.parametrize(
    ("component", "said", "places"),
    [
        ("reader", "a in dev -> b in dev -> a in dev", ("15:21", "8:11", "12:11")),
        ("a", "b in dev -> a in dev -> b in dev", ("8:11", "12:11")),
        ("c", "c in dev -> d in dev -> c in dev", ()),
    ],
)
def test_a_circle_is_shown_as_a_chain_with_its_places(
    written: Cli, component: str, said: str, places: tuple[str, ...]
) -> None:
    done = written("describe", "component", component, "-s", "dev")
    assert (done.exit, done.stdout) == (78, "")
    assert f"components read each other in a circle: {said}\n" in done.stderr
    told = [line for line in done.stderr.splitlines() if line.startswith("  at ")]
    assert not places or sorted(told) == sorted(f"  at stacks/dev.yaml:{one}" for one in places)


def test_a_function_that_is_not_there_stops_only_who_needs_it(written: Cli) -> None:
    done = written("describe", "component", "special", "-s", "dev")
    assert done.exit == 78
    assert "error: the YAML function !cel is not supported" in done.stderr
    assert "at stacks/dev.yaml:19:9" in done.stderr
    done = written(
        "describe", "component", "special", "-s", "dev", "--skip", "cel", "-q", ".vars.bad"
    )
    assert (done.exit, done.stdout) == (0, "!cel 1 + 1\n")
    assert written("describe", "component", "good", "-s", "dev", "-q", ".vars.x").stdout == "fine\n"
