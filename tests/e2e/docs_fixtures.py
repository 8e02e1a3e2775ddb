"""Where the blocks of a page run: a directory with what the page takes for given."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.fakes import aws

CLONE = aws.CLONE
HUB, DEV, PROD = "111111111111", "222222222222", "333333333333"
BUCKET = "acme-terraform-state"


def empty(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """An empty directory."""
    yield


def clone(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The clone, as far as a reader copies from it."""
    shutil.copytree(CLONE / "docs" / "examples", place / "docs" / "examples")
    yield


def shop(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The example `shop`: two stacks and identities that need no cloud."""
    shutil.copytree(CLONE / "docs" / "examples" / "shop", place, dirs_exist_ok=True)
    yield


def cloud(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """An empty directory, and an AWS with the user, roles and bucket that the tutorial names."""
    with aws.running(lifetime=300.0) as fake:
        alice = fake.user(HUB, "alice")
        hub = fake.role(HUB, "hub", trusts=alice.arn)
        dev = fake.role(DEV, "deploy", trusts=hub)
        prod = fake.role(PROD, "deploy", trusts=hub, external_id="acme-prod")
        audit = fake.role(HUB, "audit", trusts=hub)
        fake.allow(alice.arn, "sts:AssumeRole", hub)
        for number, role in enumerate((dev, prod, audit)):
            fake.allow(hub, "sts:AssumeRole", role, name=f"assume{number}")
        fake.bucket(HUB, BUCKET)
        for role in (dev, prod):
            fake.allow(role, "s3:*", f"arn:aws:s3:::{BUCKET}", name="list")
            fake.allow(role, "s3:*", f"arn:aws:s3:::{BUCKET}/*", name="state")
        environment.update(fake.environment())
        environment["ALICE_KEY_ID"] = alice.access_key_id
        environment["ALICE_SECRET_KEY"] = alice.secret_access_key
        yield


def shop_in_cloud(place: Path, environment: dict[str, str]) -> Iterator[None]:
    """The repository at the end of the tutorial, and its AWS."""
    shutil.copytree(CLONE / "docs" / "examples" / "cloud", place, dirs_exist_ok=True)
    yield from cloud(place, environment)


FIXTURES = {
    "empty": empty,
    "clone": clone,
    "shop": shop,
    "cloud": cloud,
    "shop-in-cloud": shop_in_cloud,
}


@contextmanager
def prepared(name: str, place: Path, environment: dict[str, str]) -> Iterator[None]:
    """Have a fixture; what the shell needs to find it goes into `environment`."""
    yield from FIXTURES[name](place, environment)
