"""Entry: the one place where an error becomes text and an exit code."""

from __future__ import annotations

import sys

TYPE_CHECKING = False  # the one of `typing` costs 5 ms
if TYPE_CHECKING:
    from wrapper import world as outside


def main() -> int:
    """Run this process's command line; return its exit code."""
    if sys.argv[1:2] in (["__complete"], ["__completeNoDesc"]):
        from wrapper import complete

        return complete.main(sys.argv[1:])
    import gc

    from wrapper import world as outside

    # A process of some tenths of a second leaves little garbage: looking for it costs 4 ms.
    gc.set_threshold(100_000)
    code = run(sys.argv[1:], outside.real())
    try:
        sys.stderr.flush()
    except (BrokenPipeError, ValueError):
        _silence(2)
    return code


def run(argv: list[str], world: outside.World) -> int:
    """Run one command line; return its exit code, with every error told on stderr."""
    from wrapper.errors import WrapError

    try:
        code = _printed(_dispatch(argv, world), world)
        listing = sys.modules.get("wrapper.auth.provisioned")
        if listing is not None:  # what a sign-in has begun in the background
            listing.settle(world)
        return code
    except WrapError as error:
        from wrapper import ui

        ui.write(world, ui.render(error, world.cwd))
        return error.exit_code
    except KeyboardInterrupt:
        return 130
    except BrokenPipeError:
        _silence(1)
        return 141
    except (MemoryError, RecursionError) as fault:
        return _too_large(fault, world)
    except OSError as fault:
        return _unwritten(fault, world)
    except Exception as fault:  # noqa: BLE001  told as a fault of ours, without a traceback
        return _internal(fault, world)


def _dispatch(argv: list[str], world: outside.World) -> int:
    first = argv[0] if argv else ""
    if first == "credential-process":
        from wrapper.auth import delivery

        return delivery.credential_process(argv[1:], world)
    if first == "hook-env":
        from wrapper import hook

        return hook.hook_env(argv[1:], world)
    if first == "hook-use":
        from wrapper import hook

        return hook.hook_use(argv[1:], world)
    if first == "prompt":
        from wrapper.cli import prompt

        return prompt.main(argv, world)
    if first == "hook-export":
        from wrapper.hook import export

        return export.main(argv[1:], world)
    if first == "provision-identities":
        from wrapper.auth import provisioned

        return provisioned.make(argv[1:], world)
    from wrapper import cli

    return cli.main(argv, world)


def _printed(code: int, world: outside.World) -> int:
    world.stdout.flush()
    return code


def _unwritten(fault: OSError, world: outside.World) -> int:
    """Tell of output that could not be written, else of a fault of ours."""
    import errno

    # A stream forgets what it could not write. Faults of files have a name, or are told elsewhere.
    full = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
    lost = fault.filename is None and fault.errno in full
    try:
        world.stdout.flush()
    except OSError:
        lost = True
    if lost:
        from wrapper import ui
        from wrapper.errors import StoreError

        _silence(1)
        error = StoreError(f"cannot write the output: {fault.strerror}")
        ui.write(world, ui.render(error, world.cwd))
        return error.exit_code
    return _internal(fault, world)


def _too_large(fault: BaseException, world: outside.World) -> int:
    """Tell that the configuration is larger or deeper than this process can hold."""
    from wrapper import ui
    from wrapper.errors import ConfigError

    what = "the memory" if isinstance(fault, MemoryError) else "the depth of calls"
    error = ConfigError(
        f"the configuration is too large: {what} does not suffice", at=_places(fault)
    )
    ui.write(world, ui.render(error, world.cwd))
    return error.exit_code


def _silence(stream: int) -> None:
    """Keep the interpreter from complaining about the closed pipe at exit, by status 120."""
    import os

    os.dup2(os.open(os.devnull, os.O_WRONLY), stream)


def _internal(fault: BaseException, world: outside.World) -> int:
    """Tell of a fault of ours without a traceback: what, and where in the program."""
    from wrapper import ui
    from wrapper.errors import InternalError

    error = InternalError(
        f"internal fault: {type(fault).__name__}",
        at=_places(fault),
        hint="this is a fault of atmos-wrap, not of your configuration: please report it",
    )
    ui.write(world, ui.render(error, world.cwd))
    return error.exit_code


def _places(fault: BaseException) -> list[str]:
    """Return where in the program a fault arose."""
    import traceback

    frames = [f for f in traceback.extract_tb(fault.__traceback__) if "wrapper" in f.filename]
    return [f"{f.filename.rpartition('wrapper/')[2]}:{f.lineno} ({f.name})" for f in frames[-3:]]


if __name__ == "__main__":
    sys.exit(main())
