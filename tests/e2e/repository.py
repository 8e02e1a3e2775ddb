"""A small repository for the real terraform: two stacks, local state, nobody to sign in as."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

ATMOS = """\
base_path: .
components:
  terraform:
    base_path: components/terraform
    auto_generate_backend_file: true
stacks:
  base_path: stacks
  included_paths: ["deploy/**/*"]
  name_pattern: "{stage}"
"""

CATALOG = """\
terraform:
  backend_type: local
  backend:
    local: {workspace_dir: states}
components:
  terraform:
    app:
      vars:
        name: shop
"""

MODULE = """\
variable "name" { type = string }
variable "stage" { type = string }
variable "hold" {
  type    = string
  default = ""
}

resource "terraform_data" "app" {
  input = "${var.name}-${var.stage}"

  provisioner "local-exec" {
    command = var.hold == "" ? "true" : "touch ${var.hold}; i=0; while [ $i -lt 600 ]; do sleep 0.1; i=$((i+1)); done"
  }
}

resource "terraform_data" "known" {}

output "app" { value = terraform_data.app.output }
output "workspace" { value = terraform.workspace }
"""

STACK = """\
import:
  - catalog/app
vars:
  stage: {stage}
"""


def write(repo: Path, more: Mapping[str, str] | None = None) -> Path:
    """Write the repository, with `more` files; return the module's directory."""
    files = {
        "atmos.yaml": ATMOS,
        "stacks/catalog/app.yaml": CATALOG,
        "components/terraform/app/main.tf": MODULE,
        "stacks/deploy/dev.yaml": STACK.format(stage="dev"),
        "stacks/deploy/prod.yaml": STACK.format(stage="prod"),
    }
    for name, text in {**files, **(more or {})}.items():
        path = repo / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    return repo / "components" / "terraform" / "app"
