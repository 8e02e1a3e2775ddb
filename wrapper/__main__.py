"""Entry: the one place where an error becomes text and an exit code."""

from __future__ import annotations

import sys


def main() -> int:
    """Run one command line; return its exit code."""
    from wrapper import world

    here = world.real()
    here.stderr.write("atmos-wrap: no command\n")
    return 64


if __name__ == "__main__":
    sys.exit(main())
