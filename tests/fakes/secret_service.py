"""A real gnome-keyring on a session bus of its own, with everything it keeps below one directory."""

from __future__ import annotations

import os
import select
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

_PASSWORD = "of this run only"


class SecretService:
    """The bus and the daemon. `environment` is what a program needs to find them."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self._own = {
            "HOME": str(directory / "home"),
            "XDG_RUNTIME_DIR": str(directory / "run"),
            "PATH": os.defpath,
        }
        for name in ("HOME", "XDG_RUNTIME_DIR"):
            Path(self._own[name]).mkdir(mode=0o700)
        self.bus = subprocess.Popen(
            ["dbus-daemon", "--session", "--nofork", "--nopidfile", "--print-address=1"],
            env=self._own,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert self.bus.stdout is not None
        address = self.bus.stdout.readline().strip()
        self.environment = {"DBUS_SESSION_BUS_ADDRESS": address}
        self.daemon = self._daemon()

    def _daemon(self) -> subprocess.Popen[str]:
        daemon = subprocess.Popen(
            ["gnome-keyring-daemon", "--foreground", "--unlock", "--components=secrets"],
            env={**self._own, **self.environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        assert daemon.stdin is not None
        daemon.stdin.write(_PASSWORD)
        daemon.stdin.close()
        ends = time.monotonic() + 60
        while not self._there():
            if daemon.poll() is not None or time.monotonic() > ends:
                raise RuntimeError("gnome-keyring-daemon did not start")
            select.select([], [], [], 0.02)
        return daemon

    def connect(self) -> Any:
        """Return a connection to the bus; the caller closes it."""
        from jeepney.io.blocking import open_dbus_connection

        return open_dbus_connection(self.environment["DBUS_SESSION_BUS_ADDRESS"])

    def _there(self) -> bool:
        from jeepney import DBusAddress, new_method_call

        bus = DBusAddress("/org/freedesktop/DBus", "org.freedesktop.DBus", "org.freedesktop.DBus")
        with closing(self.connect()) as connection:
            asked = new_method_call(bus, "NameHasOwner", "s", ("org.freedesktop.secrets",))
            return bool(connection.send_and_get_reply(asked).body[0])

    def lock(self) -> None:
        """Lock the collection; only the password opens it again."""
        import secretstorage

        with closing(self.connect()) as connection:
            secretstorage.get_default_collection(connection).lock()

    def entries(self) -> dict[str, bytes]:
        """Return the kept secrets by the name that they are asked for."""
        import secretstorage

        with closing(self.connect()) as connection:
            items = list(secretstorage.get_default_collection(connection).get_all_items())
            return {item.get_attributes()["username"]: item.get_secret() for item in items}

    def overwrite(self, secret: bytes) -> None:
        """Put something else into the only entry."""
        import secretstorage

        with closing(self.connect()) as connection:
            (item,) = secretstorage.get_default_collection(connection).get_all_items()
            item.set_secret(secret)

    def kill(self) -> None:
        """End the daemon as a crash does; the bus starts another one when it is asked for."""
        self.daemon.kill()
        self.daemon.wait()

    def stop(self) -> None:
        """End both."""
        for process in (self.daemon, self.bus):
            process.kill()
            process.wait()
        assert self.bus.stdout is not None
        self.bus.stdout.close()


@contextmanager
def running() -> Iterator[SecretService]:
    """Run a bus and an unlocked gnome-keyring."""
    # Sockets lie in it: the path has to be short.
    with tempfile.TemporaryDirectory(prefix="keyring-") as directory:
        service = SecretService(Path(directory))
        try:
            yield service
        finally:
            service.stop()
