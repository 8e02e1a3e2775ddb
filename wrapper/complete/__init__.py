"""What Tab offers: names from the configuration and the index, nothing run, nothing contacted.

Loaded at each Tab, so nothing here or in `lexing`, `place`, `offers`, `stored` imports anything slow
(`typing` takes 5 ms): only what is not stored yet is read by the parts that commands use.
"""

from __future__ import annotations

import os
import sys

# Nothing more; file names; directories: what a shell may do beside, in the words of cobra.
NAMES_ONLY, FILES, DIRECTORIES, NO_SPACE = 4, 0, 16, 2


def main(argv: list[str]) -> int:
    """Answer `__complete …`; return the exit code, which is 0 whatever is broken.

    `--shell=bash BEFORE AFTER TEXT` (bash: the line up to the cursor, behind it, what readline
    replaces), `--shell=zsh AT WORD…`, `--shell=fish BEFORE AFTER` are what our files ask. Everything
    else is asked and answered as programs built on cobra do.
    """
    shell = argv[1][8:] if len(argv) > 1 and argv[1].startswith("--shell=") else ""
    try:
        from wrapper.complete import answers

        text = answers.of_shell(shell, argv[2:]) if shell else answers.of_cobra(argv)
    except KeyboardInterrupt:
        return 130
    except Exception:  # noqa: BLE001  a fault is no reason to disturb a line half typed
        text = "names 0\n" if shell else f":{NAMES_ONLY}\n"
    return write(text)


def write(text: str) -> int:
    """Write an answer; whoever does not read it to its end is not told of it."""
    data = text.encode(sys.getfilesystemencoding(), "surrogateescape")
    try:
        while data:
            data = data[os.write(1, data) :]
    except OSError:
        return 1
    return 0
