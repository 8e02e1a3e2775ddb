"""`provision.backend`: the storage of a component's state is made before init needs it.

docs/how-to/make-the-state-bucket.md says what is made, and what is never touched.
Source: reference/atmos-stacks.md 3.14.
"""

from __future__ import annotations

import os
from collections.abc import Mapping

from wrapper.errors import Location, StackError
from wrapper.typed import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from wrapper.stacks import Component
    from wrapper.world import World

# What stands in a cloud's refusal when the storage is not there.
_MISSING = ("ContainerNotFound", "there is no bucket", "NameResolutionError")
_RIGHTS = (
    "s3:CreateBucket, s3:ListBucket, s3:PutBucketVersioning, s3:PutEncryptionConfiguration, "
    "s3:PutBucketPublicAccessBlock, s3:PutBucketTagging"
)


class Backend(NamedTuple):
    """The storage of a component's state, as its backend names it."""

    kind: str
    settings: Mapping[str, Any]
    component: Component

    @property
    def name(self) -> str:
        """Return the name of the bucket or container; '' if none is written."""
        keys = {"s3": "bucket", "gcs": "bucket", "azurerm": "container_name"}
        return str(self.settings.get(keys.get(self.kind, "")) or "")

    @property
    def is_wanted(self) -> bool:
        """Say whether it shall be made: `provision.backend.enabled` is true."""
        found = self.component.section.get("provision")
        found = found.get("backend") if isinstance(found, Mapping) else None
        return isinstance(found, Mapping) and found.get("enabled") is True

    @property
    def at(self) -> Location | None:
        """Return the place that asks for it, else that of the backend."""
        where = self.component.where
        asked = where("provision", "backend", "enabled") if self.is_wanted else None
        return asked or where("backend", self.kind) or where("backend")


def of(component: Component) -> Backend:
    """Return the storage that a component's backend names."""
    settings = component.section.get("backend")
    return Backend(
        str(component.section.get("backend_type") or "local"),
        settings if isinstance(settings, Mapping) else {},
        component,
    )


def wanted(component: Component) -> Backend | None:
    """Return the storage that a run has to make before init; None where it is not asked for."""
    found = of(component)
    return found if found.is_wanted else None


def check(backend: Backend, environ: Mapping[str, str]) -> None:
    """Refuse a backend that does not say what to make. Raises: StackError with the place."""
    if backend.kind != "s3":
        return
    if not backend.name:
        raise StackError(
            "provision.backend makes the bucket of the s3 backend, which names none",
            at=backend.at,
            hint="set backend.s3.bucket, or provision.backend.enabled: false",
        )
    if not (
        backend.settings.get("region")
        or environ.get("AWS_REGION")
        or environ.get("AWS_DEFAULT_REGION")
    ):
        raise StackError(
            f"provision.backend: in which region shall the bucket {backend.name} be?",
            at=backend.at,
            hint="set backend.s3.region",
        )


def make(
    backend: Backend, environ: Mapping[str, str], world: World, *, strict: bool = False
) -> bool:
    """Make the storage unless it is there; say whether it was made. Others wait for their turn.

    `environ` is that of the component's identity. Unless `strict`, storage of which nobody can say
    whether it is there is left to init, which does with fewer rights. Raises: StackError.
    """
    from wrapper import files, ui
    from wrapper.stacks import cloud

    check(backend, environ)
    if backend.kind != "s3":
        _expect(backend, environ, world, strict=strict)
        return False
    folder = os.path.join(files.state_dir(world.environ), "turns")
    path = os.path.join(folder, f"bucket-{backend.name.replace('/', '%')[:100]}.lock")
    with files.lock(path, f"making the bucket {backend.name}"):
        try:
            done = cloud.ask({"what": "s3 make", "backend": backend.settings}, environ)
        except StackError as error:
            raise _refused(backend, error) from error
    if unknown := done.get("unknown"):
        if strict:
            raise _refused(backend, StackError(unknown))
        ui.info(world, f"it cannot be known whether the bucket {backend.name} is there: {unknown}")
    if done["made"]:
        ui.note(
            world,
            f"the bucket {backend.name} was made: encrypted, closed to the public, keeping versions",
        )
    return bool(done["made"])


def _refused(backend: Backend, error: StackError) -> StackError:
    hints = [f"the identity needs {_RIGHTS}"] if "AccessDenied" in error.message else []
    if "BucketAlreadyExists" in error.message:
        hints = ["names of buckets are taken for all accounts at once: choose another one"]
    hints.append("or make it in another way, and set provision.backend.enabled: false")
    return StackError(
        f"the bucket {backend.name} cannot be made: {error.message}", at=backend.at, hint=hints
    )


def _expect(
    backend: Backend, environ: Mapping[str, str], world: World, *, strict: bool = False
) -> None:
    """Stop where storage would have to be made that only s3 has here. Raises: StackError."""
    from wrapper import ui
    from wrapper.terraform import remote

    why = f"`provision.backend` is not built for {backend.kind}: {backend.name} is not made"
    hint = (
        "make it first, or set provision.backend.enabled: false and let another component make it"
    )
    ask = {"gcs": remote.gcs, "azurerm": remote.azurerm}.get(backend.kind)
    if ask is None:  # as with Atmos, there is nothing to make for the others
        if strict:
            raise StackError(f"a {backend.kind} backend has nothing to make", at=backend.at)
        return
    try:
        ask(backend.settings, "default", environ)
    except StackError as error:
        if strict or any(word in error.message for word in _MISSING):
            raise StackError(f"{why}: {error.message}", at=backend.at, hint=hint) from error
        ui.info(world, f"it cannot be known whether {backend.name} is there: {error.message}")
