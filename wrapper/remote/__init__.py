"""What is imported from the net; `store` gets it, `address` reads addresses."""

from __future__ import annotations


def is_remote(path: str) -> bool:
    """Say whether an import names something on the net. Source: reference/atmos-stacks.md 3.4."""
    if path.startswith(("/", "./", "../")):
        return False
    if "://" in path or "::" in path or "//" in path or path.startswith("git@"):
        return True
    first = path.partition("/")[0]
    domain = first.rpartition(".")[2]  # no host ends in one letter, but `conf.d` does
    return path.endswith(".git") or (
        "." in first.strip(".") and "/" in path and len(domain) > 1 and domain.isalpha()
    )
