"""Run a script at a terminal and answer its questions: docs_terminal.py SCRIPT ANSWER…

A question is a line that ends with a colon and a space, and waits. `$NAME` is a variable's value.
"""

from __future__ import annotations

import os
import sys

import pexpect


def main(script: str, *answers: str) -> int:
    """Return the script's exit code; what stood on the terminal is printed."""
    child = pexpect.spawn(
        "bash", ["--norc", script], encoding="utf-8", timeout=60, dimensions=(50, 300)
    )
    child.logfile_read = sys.stdout
    for answer in answers:
        child.expect(r"[^\r\n]: $")
        given = os.environ[answer[1:]] if answer.startswith("$") else answer
        child.sendline(given)
    child.expect(pexpect.EOF)
    child.wait()
    child.close()
    return int(child.exitstatus if child.exitstatus is not None else 128)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
