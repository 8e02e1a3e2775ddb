"""A repository whose names mean something to shells."""

from __future__ import annotations

import json
from pathlib import Path

# Stack number N is the only one with the component cN.
NAMES = (
    "team/eu", "a:b c", "it's", 'say "hi"', "$(touch ran)", "`touch ran`", "back\\slash", "semi;colon",
    "par(en)", "amp&", "star*", "~tilde", "#hash", "bang!x", "größe", "日本 国", "=eq", "a=b:c", "x{a,b}",
    "up^", "ques?", "[b]", "%p", "pipe|>x<", "$HOME", "two  blanks", "-dash",
)  # fmt: skip
# Never offered: what a terminal would take for an order, or a shell for several lines.
HIDDEN = ("new\nline", "esc\x1b[31m", "tab\there")


def write(root: Path) -> None:
    """Write a manifest for each name; an identity and a profile for some."""
    (root / "stacks").mkdir(parents=True)
    (root / "modules/c").mkdir(parents=True)
    account = {"account": {"id": "111111111111"}}
    identities = {
        name: {"kind": "ambient", "principal": account}
        for name in ("it's me", "a b/c", "$(touch ran)")
    }
    config = {
        "base_path": "./",
        "stacks": {
            "base_path": "stacks",
            "included_paths": ["**/*"],
            "name_template": "{{.vars.stage}}",
        },
        "components": {"terraform": {"base_path": "modules"}},
        "workflows": {"base_path": "workflows"},
        "commands": [{"name": "greet", "description": "say it", "flags": [{"name": "loud"}]}],
        "auth": {
            "providers": {"partner sso": {"kind": "aws/iam-identity-center"}},
            "identities": identities,
        },
    }
    (root / "atmos.yaml").write_text(json.dumps(config))
    for number, name in enumerate((*NAMES, *HIDDEN)):
        manifest = {
            "name": name,
            "components": {"terraform": {f"c{number}": {"metadata": {"component": "c"}}}},
        }
        (root / f"stacks/s{number}.yaml").write_text(json.dumps(manifest))
    (root / "profiles/ci team").mkdir(parents=True)
    (root / "workflows").mkdir()
    (root / "workflows/deploy all.yaml").write_text("workflows: {'roll out': {description: d}}\n")
