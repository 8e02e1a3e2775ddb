"""Templates of components: functions as gomplate and Go have them, other components, locals."""

from __future__ import annotations

from typing import Any

import pytest

from wrapper.errors import StackError, WrapError
from wrapper.stacks import gotemplate, template

from .conftest import ATMOS, Repo

TEMPLATES = """
templates:
  settings:
    enabled: true
    sprig: {enabled: true}
    gomplate:
      enabled: true
      datasources: {near: {url: ./data.json}, far: {url: "https://example.com/x.json"}}
    env: {FROM_ATMOS: one, BOTH: low}
"""

DATA = {"s": "Hello", "l": ["b", "a", "b"], "m": {"k": "v", "j": 2}, "f": 1e6, "n": None}


@pytest.mark.parametrize(
    ("template", "text"),
    [
        ('{{ strings.Title "app-config is s3" }}', "App-Config Is S3"),
        ('{{ "x" | strings.ToUpper }}', "X"),
        ('{{ strings.Split "," "a,b" | toJson }}', '["a","b"]'),
        ('{{ strings.ReplaceAll "l" "L" .s }}', "HeLLo"),
        ('{{ strings.Trim "x" "xax" }}{{ strings.TrimSuffix "o" .s }}', "aHell"),
        ('{{ strings.Indent 2 "a\\nb" }}', "  a\n  b"),
        ('{{ strings.KebabCase "fooBar baz" }}', "foo-Bar-baz"),
        ('{{ strings.Quote "a\\"b" }}', '"a\\"b"'),
        ('{{ strings.Abbrev 6 "a long text" }}', "a l..."),
        ('{{ (coll.Dict "a" 1 "b").a }}', "1"),
        ('{{ coll.Has .m "k" }}{{ coll.Has .l "z" }}', "truefalse"),
        ("{{ coll.Uniq .l }}{{ coll.Sort .l }}{{ coll.Reverse .l }}", "[b a][a b b][b a b]"),
        ("{{ coll.Keys .m }}{{ coll.Values .m }}", "[j k][2 v]"),
        ('{{ coll.Merge (coll.Dict "k" 1) .m }}', "map[j:2 k:1]"),
        ('{{ coll.Omit "k" .m }}{{ coll.Pick "k" .m }}', "map[j:2]map[k:v]"),
        ("{{ coll.Flatten (coll.Slice 1 (coll.Slice 2 (coll.Slice 3))) }}", "[1 2 3]"),
        ('{{ conv.ToBool "yes" }}{{ conv.ToBool "no" }}{{ conv.ToInt "0x1F" }}', "truefalse31"),
        ('{{ conv.Join (coll.Slice 1 "a" true) "-" }}', "1-a-true"),
        ('{{ conv.Default "d" "" }}{{ conv.ToString .f }}', "d1e+06"),
        ("{{ math.Add 1 2 3 }} {{ math.Add 1 1.5 }} {{ math.Div 7 2 }}", "6 2.5 3.5"),
        ("{{ math.Seq 3 }} {{ math.Seq 5 1 2 }} {{ math.Rem 7 3 }}", "[1 2 3] [5 3 1] 1"),
        ("{{ math.Max 1 3 2 }}{{ math.Round 2.5 }}{{ math.Ceil 1.2 }}", "332"),
        ('{{ regexp.Replace "(l+)" "<$1>" .s }}', "He<ll>o"),
        ('{{ regexp.Match "^H" .s }}{{ regexp.FindAll "l" .s }}', "true[l l]"),
        ('{{ base64.Encode "x" }}{{ base64.Decode "eA" }}', "eA==x"),
        ('{{ crypto.SHA1 "x" }}', "11f6ad8ec52a2984abaafd7c3b516503785c2072"),
        ('{{ path.Base "/a/b.txt" }} {{ path.Ext "b.tar.gz" }} {{ path.Join "a" "../b" }}', "b.txt .gz b"),
        ("{{ (data.JSON `{\"a\": [1.0]}`).a }}{{ (data.YAML `a: yes`).a }}", "[1]yes"),
        ("{{ data.ToJSON .m }}{{ data.ToYAML .m }}", '{"j":2,"k":"v"}j: 2\nk: v\n'),
        ('{{ "strings.Title" }}{{/* strings.X */}}{{ .m.k }}', "strings.Titlev"),
        ("{{ .n }} {{ .f }} {{ .m }} {{ if .n }}y{{ else }}n{{ end }}", "<no value> 1e+06 map[j:2 k:v] n"),
        ("{{ range $k, $v := .m }}{{ $k }}={{ $v }};{{ end }}", "j=2;k=v;"),
        ('{{ eq .none "a" }}{{ ne .n "a" }}{{ eq .n nil }}{{ eq "b" "a" .none "b" }}', "falsetruetruetrue"),
        ('{{ printf "%v %s" .none .n }} {{ toJson .none }}{{ .none | quote }}', "<nil> %!s(<nil>) null"),
        ('{{ printf "%s|%d|%5.1f%%" (list "a" 1) (dict "k" 2) 1.25 }}', "[a %!s(int=1)]|map[%!d(string=k):2]|  1.2%"),
        ('{{ printf "%d" 1 2 }}{{ printf "%d %d" 1 }}', "1%!(EXTRA int=2)1 %!d(MISSING)"),
        ('{{ kindOf .none }} {{ dict "a" .none | toJson }}', 'invalid {"a":null}'),
        ('{{ required "must" "v" }}{{ required .s }}{{ assert true }}', "vHello"),
        ('{{ test.Ternary 1 2 false }} {{ isKind "number" .f }} {{ kind .m }}', "2 true map"),
        ('{{ conv.ToInt "1,234" }} {{ conv.ToInt "x" }} {{ conv.Atoi "5" }} {{ conv.ParseInt "ff" 16 64 }}', "1234 0 5 255"),
        ("{{ conv.ToString .n }} {{ conv.ToFloat64s 1 `2` }}", "nil [1 2]"),
        ('{{ math.IsInt "0x1" }} {{ math.IsFloat "1" }} {{ math.IsNum "1.5" }} {{ math.IsNum .s }}', "true false true false"),
        ('{{ strings.SplitN "-" -1 "a-b-c" }} {{ splitN "a-b-c" "-" 2 }}', "[a b c] [a b-c]"),
        ('{{ strings.WordWrap 5 "hello big" }}', "hello\nbig"),
        ("{{ pow 2 3 }} {{ rem 5 3 }} {{ sort .l }} {{ flatten (coll.Slice .l 1) }}", "8 2 [a b b] [b a b 1]"),
        ('{{ path.Match "*.go" "a.go" }} {{ filepath.Rel "/a" "/a/b" }} {{ path.Split "/a/b" }}', "true b [/a/ b]"),
        ('{{ csvByRow "a,b\\n1,2" }} {{ data.CSVByColumn "a\\n1" }}', "[map[a:1 b:2]] map[a:[1]]"),
        ('{{ data.CSV "a,b" }} {{ toCSV (list (list 1 "x,y")) }}', '[[a b]] 1,"x,y"\r\n'),
        ('{{ (toml "a = 1").a }} {{ random.Number 3 3 }} {{ random.Alpha 4 | len }}', "1 3 4"),
    ],
)  # fmt: skip
def test_functions_give_what_go_gives(template: str, text: str) -> None:
    assert gotemplate.render(template, DATA, what="t", at=None, strict=False) == text


@pytest.mark.parametrize(
    "template",
    [
        "{{ strings.Nope 1 }}", '{{ strings.Repeat 100000000 "xx" }}', "{{ fail `no` }}",
        '{{ eq 1 "1" }}', "{{ eq .m .m }}", '{{ required "must" .none }}', "{{ assert `x` false }}",
        "{{ upper .none }}", "{{ test.Fail `x` }}", "{{ random.ASCII 10000000 }}",
    ],
)  # fmt: skip
def test_a_template_that_cannot_run_names_the_reason(template: str) -> None:
    with pytest.raises(StackError, match="cannot be rendered") as caught:
        gotemplate.render(template, DATA, what="t", at=None, strict=False)
    assert "__" not in caught.value.message


def with_vars(repo: Repo, components: str, *, settings: str = TEMPLATES, root: str = "") -> Repo:
    manifest = f"vars: {{stage: dev}}\n{root}components:\n  terraform:\n{components}"
    return repo.write({"atmos.yaml": ATMOS + settings, "stacks/deploy/dev.yaml": manifest})


def variables(repo: Repo, name: str = "c") -> dict[str, Any]:
    found: dict[str, Any] = repo.evaluated(name, "dev")
    return {key: value for key, value in found.items() if key != "stage"}


def test_another_component_is_read_with_its_functions_run(repo: Repo) -> None:
    with_vars(
        repo,
        """\
    b: {vars: {x: !env NAME, y: {z: 5}}}
    c: {vars: {a: '{{ (atmos.Component "b" .stack).vars.y.z }}', b: '{{ (atmos.Component "b" "dev").vars.x }}'}}
""",
    )
    repo.environ["NAME"] = "seen"
    assert variables(repo) == {"a": "5", "b": "seen"}


def test_components_that_read_each_other_are_shown_as_a_chain(repo: Repo) -> None:
    with_vars(
        repo,
        """\
    b: {vars: {x: '{{ (atmos.Component "c" .stack).vars.a }}'}}
    c: {vars: {a: '{{ (atmos.Component "b" .stack).vars.x }}'}}
""",
    )
    with pytest.raises(StackError, match="c in dev -> b in dev -> c in dev") as caught:
        variables(repo)
    assert caught.value.at


def test_outputs_cannot_be_read_where_nobody_can_sign_in(repo: Repo) -> None:
    with_vars(
        repo,
        """\
    b: {}
    c: {vars: {a: '{{ (atmos.Component "b" .stack).outputs.x }}'}}
""",
    )
    with pytest.raises(StackError, match='outputs of "b" in "dev" cannot be read here'):
        variables(repo)


def test_families_are_there_when_they_are_on(repo: Repo) -> None:
    with_vars(
        repo,
        "    c: {vars: {a: '{{ upper \"x\" }}'}}\n",
        settings="templates: {settings: {enabled: true}}\n",
    )
    with pytest.raises(StackError, match="upper"):
        variables(repo)


def test_variables_for_templates_come_from_the_settings(repo: Repo) -> None:
    with_vars(
        repo,
        """\
    c:
      settings: {templates: {settings: {env: {BOTH: high}}}}
      vars: {a: '{{ env "FROM_ATMOS" }}-{{ getenv "BOTH" }}-{{ env "SHELL_ONLY" }}-{{ env.Getenv "NO" "d" }}'}
""",
    )
    repo.environ["SHELL_ONLY"] = "three"
    assert variables(repo) == {"a": "one-high-three-d"}


def test_a_data_source_is_a_file_of_the_repository(repo: Repo) -> None:
    repo.write({"data.json": '{"a": {"b": [1, 2]}}'})
    with_vars(repo, "    c: {vars: {a: '{{ (atmos.GomplateDatasource \"near\").a.b }}'}}\n")
    assert variables(repo) == {"a": "[1 2]"}


def test_a_remote_data_source_is_refused_with_the_reason(repo: Repo) -> None:
    with_vars(repo, "    c: {vars: {a: '{{ (datasource \"far\").a }}'}}\n")
    with pytest.raises(StackError, match=r"remote \(https\)"):
        variables(repo)


def test_line_breaks_of_a_template_are_those_of_its_text_in_yaml(repo: Repo) -> None:
    with_vars(
        repo,
        """\
    c:
      vars:
        block: |
          {{- range coll.Slice 1 2 }}
          - {{ . }}
          {{- end }}
        line: '[{{ nindent 2 "x" }}]'
        para: 'a{{ "\\n\\n" }}b'
""",
    )
    assert variables(repo) == {"block": "- 1\n- 2\n", "line": "[ x]", "para": "a\nb"}


def test_a_component_with_locals_sees_those_of_its_file_in_its_own_texts(repo: Repo) -> None:
    with_vars(
        repo,
        "    c: {locals: {k: comp}, vars: {x: '{{ .locals.k }}', z: '{{ .locals.a }}', u: '{{ .locals.u }}'}}\n",
        root="locals: {a: root, u: !env USED}\nterraform: {vars: {v: '{{ .locals.a }}'}}\n",
    )
    repo.environ["USED"] = "env"
    assert variables(repo) == {"v": "<no value>", "x": "comp", "z": "root", "u": "env"}


def test_a_variable_in_locals_decides_a_condition(repo: Repo) -> None:
    with_vars(
        repo,
        "    c: {vars: {x: '{{ .locals.name }}'}}\n",
        root="locals: {n: !env NUMBER, name: '{{ if .locals.n }}pr{{ .locals.n }}{{ else }}main{{ end }}'}\n",
    )
    assert variables(repo) == {"x": "main"}


def test_a_value_that_a_template_put_into_itself_is_an_error() -> None:
    data: dict[str, Any] = {"m": {}}
    template.render('{{ $_ := set .m "m" .m }}', data, what="x")
    with pytest.raises(StackError, match=r"\.m contains itself"):
        template.render("{{ .m }}", data, what="x")


@pytest.mark.parametrize(
    ("text", "reason"), [("{{ .n.x }}", r"\.n is null"), ("{{ .s.x.y }}", r"\.s is no map")]
)
def test_a_field_of_what_is_no_map_is_an_error(text: str, reason: str) -> None:
    with pytest.raises(StackError, match=reason):
        template.render(text, DATA, what="t", strict=False)
    assert template.render("{{ .none.x }}", DATA, what="t", strict=False) == "<no value>"


@pytest.mark.parametrize(
    ("call", "found"),
    [
        ('.nope // "d"', "d"),
        ('".a.b | length"', 2),
        ('.a["b"][0]', 1),
        ("'.a[\"b\"][1]'", 2),
        (".a.b | length", 2),
        ("", {"a": {"b": [1, 2]}}),
    ],
)
def test_a_query_of_an_include_keeps_its_quotes(repo: Repo, call: str, found: Any) -> None:
    repo.write({"v.json": '{"a": {"b": [1, 2]}}'})
    with_vars(repo, f"    c: {{}}\n    d:\n      vars:\n        x: !include v.json {call}\n")
    assert variables(repo, "d") == {"x": found}


def test_an_include_is_looked_for_beside_the_manifest_and_in_the_base_path(repo: Repo) -> None:
    repo.write({"data/v.json": '"base"', "stacks/data/v.json": '"stacks"'})
    with_vars(repo, "    c: {}\n    d:\n      vars:\n        x: !include data/v.json\n")
    assert variables(repo, "d") == {"x": "base"}
    repo.write({"stacks/deploy/data/v.json": '"beside"'})
    assert variables(repo, "d") == {"x": "beside"}


def test_a_component_that_is_not_there_is_told_with_the_place(repo: Repo) -> None:
    with_vars(repo, """    c: {vars: {x: '{{ (atmos.Component "none" "dev").vars }}'}}\n""")
    with pytest.raises(WrapError, match=r"atmos\.Component: .*`none`") as caught:
        variables(repo)
    assert (caught.value.exit_code, len(caught.value.at)) == (78, 1)


def test_sections_of_a_file_see_the_ones_before_them_rendered(repo: Repo) -> None:
    repo.write(
        {
            "stacks/deploy/dev.yaml": """
locals: {where: eu}
settings: {label: "{{ .locals.where }}-x"}
vars: {stage: dev, label: "{{ .settings.label }}"}
env: {LABEL: "{{ .vars.label }}"}
components: {terraform: {app: {vars: {own: "{{ .env.LABEL }}"}}}}
"""
        }
    )
    assert repo.section("app", "dev", "vars") == {
        "stage": "dev",
        "label": "eu-x",
        "own": "eu-x",
    }


def test_a_file_that_is_rendered_as_text_sees_its_locals_when_it_is_yaml_before(repo: Repo) -> None:
    repo.write(
        {
            "stacks/catalog/a.yaml.tmpl": """
locals: {where: eu, full: "{{ .locals.where }}-1"}
vars: {full: "{{ .locals.full }}", given: "{{ .given }}"}
""",
            "stacks/deploy/dev.yaml": "import: [{path: catalog/a, context: {given: g}}]\n"
            "vars: {stage: dev}\ncomponents: {terraform: {app: {}}}\n",
        }
    )
    assert repo.section("app", "dev", "vars") == {"stage": "dev", "full": "eu-1", "given": "g"}
