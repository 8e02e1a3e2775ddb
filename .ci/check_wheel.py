"""Build the wheel, install it into an empty environment, and see that it works without the clone."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import venv
import zipfile
from pathlib import Path

CLONE = Path(__file__).resolve().parent.parent


def main() -> int:
    """Return 0 if the installed wheel answers and holds every shell and completion file."""
    with tempfile.TemporaryDirectory() as scratch:
        out = Path(scratch, "dist")
        run(
            [sys.executable, "-m", "build", "-q", "--wheel", "--no-isolation", "-o", str(out)],
            cwd=str(CLONE),
        )
        (wheel,) = out.glob("*.whl")
        check_content(wheel)

        place = Path(scratch, "venv")
        venv.create(place, with_pip=True)
        python = str(place / "bin" / "python")
        pip = [python, "-m", "pip", "install", "-q", "--disable-pip-version-check"]
        run([*pip, "--require-hashes", "-r", str(CLONE / "constraints.txt")])
        run([*pip, "--no-deps", str(wheel)])
        run([python, "-m", "pip", "check"])

        home = Path(scratch, "home")
        home.mkdir()
        answer = subprocess.run(
            [str(place / "bin" / "atmos-wrap"), "version"],
            env={"HOME": str(home), "PATH": os.defpath},
            cwd=scratch,
            capture_output=True,
            text=True,
            timeout=60,
        )
        if answer.returncode or answer.stderr or version() not in answer.stdout:
            print(f"`atmos-wrap version` gave {answer}", file=sys.stderr)
            return 1
        print(f"{wheel.name}: installed into an empty environment, {answer.stdout.strip()}")
    return 0


def check_content(wheel: Path) -> None:
    """Exit unless the wheel holds the package and every file of `shell/` and `completions/`."""
    names = set(zipfile.ZipFile(wheel).namelist())
    wanted = {
        f"wrapper/_{folder}/{path.relative_to(CLONE / folder)}"
        for folder in ("shell", "completions")
        for path in (CLONE / folder).rglob("*")
        if path.is_file()
    } | {
        str(path.relative_to(CLONE))
        for path in (CLONE / "wrapper").rglob("*.py")
        if "__pycache__" not in path.parts
    }
    missing = sorted(wanted - names)
    foreign = sorted(name for name in names if name.startswith(("tests/", "docs/")))
    if missing or foreign:
        sys.exit(f"{wheel.name}: missing {missing}, not ours to ship {foreign}")


def version() -> str:
    """Return the version that the clone's package states."""
    text = (CLONE / "wrapper" / "__init__.py").read_text(encoding="utf-8")
    return text.partition('__version__ = "')[2].partition('"')[0]


def run(argv: list[str], cwd: str | None = None) -> None:
    """Run a step of the installation. Raises: CalledProcessError."""
    subprocess.run(argv, cwd=cwd, check=True, timeout=600)


if __name__ == "__main__":
    sys.exit(main())
