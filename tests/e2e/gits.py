"""A git repository of manifests with a remote, for tests of what changed."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from tests.conftest import Cli
from tests.e2e import repository

AUTHOR = {
    "GIT_AUTHOR_NAME": "alice",
    "GIT_AUTHOR_EMAIL": "alice@example.com",
    "GIT_COMMITTER_NAME": "alice",
    "GIT_COMMITTER_EMAIL": "alice@example.com",
    "GIT_CONFIG_NOSYSTEM": "1",
}
CATALOG = """\
terraform:
  backend_type: local
  backend:
    local: {workspace_dir: states}
components:
  terraform:
    base:
      metadata: {type: abstract, component: app}
      vars: {region: here}
    net:
      metadata: {component: net}
      vars: {name: net}
    db:
      metadata: {component: app, inherits: [base]}
      vars: {name: db}
      dependencies: {components: [{name: net}], files: [policies/db.json]}
    shop/app:
      metadata: {component: app}
      vars: {name: app}
      settings: {depends_on: {1: {component: db}, 2: {folder: policies/web}}}
    old:
      metadata: {component: net, enabled: false}
"""
MODULE = """\
variable "name" { type = string }
variable "stage" { type = string }
variable "region" {
  type    = string
  default = "there"
}
resource "terraform_data" "one" {
  input = var.name
  provisioner "local-exec" {
    command = "echo +${var.name} >> ../../../journal"
  }
  provisioner "local-exec" {
    when    = destroy
    command = "echo -${self.input} >> ../../../journal"
  }
}
output "name" { value = terraform_data.one.output }
"""
FILES = {
    ".gitignore": ".terraform/\n*.ignored\njournal\n",
    "stacks/catalog/app.yaml": CATALOG,
    "components/terraform/app/main.tf": MODULE
    + 'module "label" {\n  source = "../../../modules/label"\n}\n',
    "components/terraform/net/main.tf": MODULE,
    "modules/label/main.tf": 'module "deep" {\n  source = "./deep"\n}\n',
    "modules/label/deep/main.tf": "locals {}\n",
    "modules/other/main.tf": "locals {}\n",
    "policies/db.json": "{}\n",
    "policies/web/one.json": "{}\n",
    "README.md": "nothing\n",
}


class Repo(NamedTuple):
    """A clone at `path` with one commit on `main`, pushed to `origin`."""

    path: Path
    origin: Path
    environment: Mapping[str, str]

    def git(self, *words: str, cwd: Path | None = None) -> str:
        """Run git; return what it prints."""
        done = subprocess.run(
            ["git", *words],
            cwd=cwd or self.path,
            env={**self.environment, **AUTHOR},
            check=True,
            capture_output=True,
            text=True,
        )
        return done.stdout.strip()

    def write(self, files: Mapping[str, str | None]) -> None:
        """Write files; None removes one."""
        for name, text in files.items():
            path = self.path / name
            if text is None:
                path.unlink()
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                path.write_text(text, encoding="utf-8")

    def edit(self, name: str, old: str, new: str) -> None:
        """Replace a text in a file."""
        path = self.path / name
        text = path.read_text(encoding="utf-8")
        assert old in text
        path.write_text(text.replace(old, new), encoding="utf-8")

    def commit(self, subject: str = "change") -> str:
        """Commit everything; return the commit's name."""
        self.git("add", "-A")
        self.git("commit", "-qm", subject)
        return self.git("rev-parse", "HEAD")


def made(root: Path) -> None:
    """Write the repository to `root/repo`, commit it and push it to `root/origin.git`."""
    environment = {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(root)}
    repo = Repo(root / "repo", root / "origin.git", environment)
    repository.write(repo.path, FILES)
    repo.git("init", "-q", "--template=", "--bare", "-b", "main", str(repo.origin))
    repo.git("init", "-q", "--template=", "-b", "main")
    repo.git("remote", "add", "origin", "../origin.git")
    repo.commit("first")
    repo.git("push", "-q", "origin", "main")
    repo.git("remote", "set-head", "origin", "main")


def copied(template: Path, cli: Cli) -> Repo:
    """Copy what `made` wrote into the program's directory and beside it."""
    origin = cli.cwd.parent / "origin.git"
    shutil.copytree(template / "repo", cli.cwd, symlinks=True, dirs_exist_ok=True)
    shutil.copytree(template / "origin.git", origin, symlinks=True)
    return Repo(cli.cwd, origin, cli.environment)
