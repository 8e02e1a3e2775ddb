"""What every command gets: the outside, and what the command line says for all commands."""

from __future__ import annotations

from wrapper.typed import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from wrapper.cli.args import Globals
    from wrapper.config import Config
    from wrapper.world import World


class Session(NamedTuple):
    """One invocation. Typer hands it on as `ctx.obj`."""

    world: World
    globals: Globals
    # What stands behind `--`, for the commands that hand it to another program.
    after: tuple[str, ...] = ()

    def config(self) -> Config:
        """Read the configuration for this invocation. Raises: ConfigError."""
        from wrapper import config

        return config.load(self.world, self.globals.options)
