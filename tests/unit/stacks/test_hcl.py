"""Files of values in HCL, as `!include` reads them."""

from __future__ import annotations

from typing import Any

import pytest

from wrapper.stacks import hcl


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r'a = "\u00e9 \U0001F600 \ud800 \n\"\\"', '\u00e9 \U0001f600 \ufffd \n"\\'),
        ('a = "$${x} %%{y}"', "${x} %{y}"),
        (r'a = "\u0024{x}"', "${x}"),
        ("a = <<EOT\nEOT\n", ""),
        ("a = <<EOT\nhi\n  $${there}\nEOT", "hi\n  ${there}\n"),
        ("a = <<-EOT\n  hi\n\n    there\n  EOT\n", "hi\n\n  there\n"),
    ],
)
def test_texts_are_read_as_terraform_does(text: str, expected: Any) -> None:
    assert hcl.values(text) == {"a": expected}


@pytest.mark.parametrize(
    "text", ['a = "${x}"', "a = <<E\n%{ if x }\nE\n", r'a = "\q"', r'a = "\u12"']
)
def test_what_is_no_plain_text_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="HCL"):
        hcl.values(text)
