"""Outputs as text: every format, names that no format holds, what is asked for alone."""

from __future__ import annotations

import json
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wrapper.errors import StackError, UsageError
from wrapper.terraform import formats
from wrapper.terraform.formats import Output

OUTPUTS = {
    "text": Output("it's\n2"),
    "map": Output({"b": {"deep": True}, "a": [1, "<"]}),
    "rate": Output(0.00001),
    "big": Output(12345678901234567890),
    "password": Output("hush, hush", sensitive=True),
    "none": Output(None),
}


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("env", "big=12345678901234567890\nmap={MAP}\npassword=hush, hush\nrate=1e-05\ntext=it's\n2\n"),
        (
            "dotenv",
            ("big='12345678901234567890'\nmap='{MAP}'\npassword='hush, hush'\nrate='1e-05'\n"
            "text='it'\\''s\n2'\n"),
        ),
        (
            "bash",
            ("export big='12345678901234567890'\nexport map='{MAP}'\nexport password='hush, hush'\n"
            "export rate='1e-05'\nexport text='it'\\''s\n2'\n"),
        ),
        (
            "github",
            ("big=12345678901234567890\nmap={MAP}\npassword=hush, hush\nrate=1e-05\n"
            "text<<ATMOS_EOF_text\nit's\n2\nATMOS_EOF_text\n"),
        ),
        (
            "tsv",
            ("key\tvalue\nbig\t12345678901234567890\nmap\t{QUOTED}\npassword\thush, hush\n"
            'rate\t1e-05\ntext\t"it\'s\n2"\n'),
        ),
        (
            "csv",
            ("key,value\nbig,12345678901234567890\nmap,{QUOTED}\n"
            'password,"hush, hush"\nrate,1e-05\ntext,"it\'s\n2"\n'),
        ),
        (
            "table",
            ("Key\tValue\nbig\t12345678901234567890\nmap\t{MAP}\npassword\t<sensitive>\nrate\t1e-05\n"
            "text\tit's\\n2\n"),
        ),
        (
            "hcl",
            ('big = 12345678901234567890\nmap = {\n    a = [1, "<"]\n    b = {\n    deep = true\n  }\n'
            '  }\npassword = "hush, hush"\nrate = 0.00001\ntext = "it\'s\\n2"\n'),
        ),
        (
            "yaml",
            ("big: 12345678901234567890\nmap:\n  a:\n    - 1\n    - <\n  b:\n    deep: true\n"
            "none: null\npassword: hush, hush\nrate: 1e-05\ntext: |-\n  it's\n  2\n"),
        ),
    ],
)  # fmt: skip
def test_each_format(form: str, text: str) -> None:
    packed = '{"a":[1,"\\u003c"],"b":{"deep":true}}'
    quoted = '"' + packed.replace('"', '""') + '"'
    expected = text.replace("{MAP}", packed).replace("{QUOTED}", quoted)
    assert formats.render(OUTPUTS, form) == (expected, ())


def test_json_holds_all_of_it() -> None:
    made = formats.render(OUTPUTS, "json").text
    assert json.loads(made) == {key: one.value for key, one in OUTPUTS.items()}
    assert '"\\u003c"' in made


def test_names_go_down_into_lists_and_maps_and_up_into_capitals() -> None:
    made = formats.render(OUTPUTS, "env", "map", uppercase=True, flatten=True)
    assert made == ("MAP_A_0=1\nMAP_A_1=<\nMAP_B_DEEP=true\n", ())


@pytest.mark.parametrize(
    ("form", "text"),
    [
        ("json", '"hush, hush"\n'),
        ("yaml", "hush, hush\n"),
        ("hcl", 'password = "hush, hush"\n'),
        ("csv", 'password,"hush, hush"\n'),
        ("table", "password\thush, hush\n"),
    ],
)
def test_one_output_alone(form: str, text: str) -> None:
    assert formats.render(OUTPUTS, form, "password") == (text, ())


@pytest.mark.parametrize("form", formats.FORMATS)
def test_one_map_alone_has_no_form_as_a_line(form: str) -> None:
    if form in ("env", "dotenv", "bash", "csv", "tsv"):
        with pytest.raises(UsageError, match="is a list or a map"):
            formats.render(OUTPUTS, form, "map")
    else:
        assert formats.render(OUTPUTS, form, "map").text


def test_a_name_that_is_not_there_is_told_with_those_near_it() -> None:
    with pytest.raises(StackError, match='there is no output "mapp"') as caught:
        formats.render(OUTPUTS, "json", "mapp")
    assert caught.value.hints == ('did you mean "map"?',)


@pytest.mark.parametrize(
    ("outputs", "options"),
    [
        ({"a": Output(1), "A": Output(2)}, {"uppercase": True}),
        ({"a": Output({"b": 1}), "a_b": Output(2)}, {"flatten": True}),
    ],
)
def test_two_outputs_of_one_name_are_refused(
    outputs: dict[str, Output], options: dict[str, bool]
) -> None:
    with pytest.raises(StackError, match="two outputs would be called"):
        formats.render(outputs, "env", **options)


_keys = st.text(st.sampled_from("ab-_. =;<\n\r$`'\"\x85\u2028#"), min_size=1, max_size=5)
_values = st.text(st.sampled_from("ab \n'\"$`\\;=#!"), max_size=8)


@given(found=st.dictionaries(_keys, _values, max_size=4))
def test_no_name_is_more_than_a_name(found: dict[str, str]) -> None:
    outputs = {"m": Output(dict(found))}
    for form, inside in (("env", "=\n\r"), ("github", "=<\n\r"), ("dotenv", "=; \n'$`#")):
        made = formats.render(outputs, form, flatten=True)
        kept = {f"m_{key}" for key in found} - set(made.left_out)
        assert not [key for key in kept if any(mark in key for mark in inside)]


def test_bash_reads_back_what_was_written() -> None:
    value = 'it\'s "$HOME" `id` \\ \n!x'
    outputs = {"m": Output({"a": value, "x;touch here": "no", "a b": "no"})}
    made = formats.render(outputs, "bash", flatten=True)
    assert made.left_out == ("m_a b", "m_x;touch here")
    script = f'set -eu\n{made.text}\nprintf %s "$m_a"'
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == value


@pytest.mark.parametrize("told", [b"[]", b"{", b'{"a": 1}', b'{"a": {}}', b"null"])
def test_what_terraform_never_tells_is_an_error(told: bytes) -> None:
    with pytest.raises(StackError, match="gave no JSON"):
        formats.read(told)


@pytest.mark.parametrize("told", [b"", b"{}"])
def test_no_outputs_are_an_empty_map(told: bytes) -> None:
    assert formats.read(told) == {}
