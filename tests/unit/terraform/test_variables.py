"""Which variables a module declares sensitive."""

from __future__ import annotations

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from wrapper.terraform import variables

MODULE = """
# variable "commented" { sensitive = true }
/* variable "hidden" {
  sensitive = true
} */
variable "pw" {
  type    = object({ sensitive = bool })
  default = "${jsonencode({ "a" = "}" })}"
  sensitive = true # yes
}
variable "one_line" { sensitive = true }
variable bare {
  sensitive   =   true
}
variable "off" {
  sensitive = false
}
variable "nested" {
  validation {
    sensitive = true
  }
  default = {
    sensitive = true
  }
}
variable "told" {
  description = <<-EOT
    sensitive = true
  EOT
  default = "sensitive = true"
}
output "pw" {
  sensitive = true
}
variable "last" {
  nullable  = false
  sensitive = true
}
"""


def test_only_a_variables_own_attribute_counts() -> None:
    assert variables.in_hcl(MODULE) == {"pw", "one_line", "bare", "last"}


def test_json_modules_count_too(tmp_path: Path) -> None:
    (tmp_path / "a.tf.json").write_text('{"variable": {"a": {"sensitive": true}, "b": {}}}')
    (tmp_path / "b.tf").write_text('variable "c" {\n  sensitive = true\n}\n')
    (tmp_path / "c.tf.json").write_text("{ not json, sensitive")
    (tmp_path / "d.txt").write_text('variable "d" {\n  sensitive = true\n}\n')
    assert variables.sensitive(str(tmp_path)) == {"a", "c"}


def test_a_missing_directory_declares_nothing(tmp_path: Path) -> None:
    assert variables.sensitive(str(tmp_path / "none")) == frozenset()


@given(st.text(st.sampled_from('variable"{}[]()=$%<\\\n sensitive#/*EOT')))
def test_no_text_is_a_fault(text: str) -> None:
    assert variables.in_hcl(text) == variables.in_hcl(text)
