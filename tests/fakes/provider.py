"""A Terraform provider that says as whom an AWS profile signs, served from a filesystem mirror.

The executable is a script that calls `main`; Terraform speaks to it by the plugin protocol.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

ADDRESS = "example.com/acme/who"
VERSION = "1.0.0"


def install(mirror: Path, cli_config: Path) -> None:
    """Put the provider into an unpacked filesystem mirror, and name that in a CLI configuration."""
    directory = mirror / ADDRESS / VERSION / _platform()
    directory.mkdir(parents=True)
    script = directory / f"terraform-provider-who_v{VERSION}"
    clone = Path(__file__).resolve().parents[2]
    script.write_text(
        f"#!{sys.executable} -P\n"
        f"import sys; sys.path.insert(0, {str(clone)!r})\n"
        "from tests.fakes.provider import main\n"
        "main()\n",
        encoding="utf-8",
    )
    script.chmod(0o755)
    cli_config.write_text(
        f"provider_installation {{\n  filesystem_mirror {{ path = {_quoted(mirror)} }}\n}}\n",
        encoding="utf-8",
    )


def _quoted(path: Path) -> str:
    return f'"{path}"'


def _platform() -> str:
    machine = {"x86_64": "amd64", "aarch64": "arm64", "arm64": "arm64"}[os.uname().machine]
    return f"{os.uname().sysname.lower()}_{machine}"


def main() -> None:
    """Serve the provider to the Terraform that started this process."""
    from tf import runner

    runner.run_provider(_provider())


def _provider() -> Any:
    from tf import iface, schema, types

    class Caller(iface.DataSource):  # type: ignore[misc]
        """`data "who_caller"`: the ARN that STS gives for the provider's profile."""

        def __init__(self, provider: Who) -> None:
            self.profile = provider.profile

        @classmethod
        def get_name(cls) -> str:
            return "caller"

        @classmethod
        def get_schema(cls) -> schema.Schema:
            return schema.Schema(
                attributes=[schema.Attribute("arn", types.String(), computed=True)]
            )

        def read(self, ctx: Any, config: dict[str, Any]) -> dict[str, Any] | None:  # noqa: ARG002
            import boto3  # only where it is needed: Terraform starts a provider many times

            session = boto3.Session(profile_name=self.profile)
            return {"arn": session.client("sts").get_caller_identity()["Arn"]}

    class Who(iface.Provider):  # type: ignore[misc]
        """`provider "who"`; `profile` as in the AWS provider."""

        profile: str | None = None

        def full_name(self) -> str:
            return ADDRESS

        def get_model_prefix(self) -> str:
            return "who_"

        def get_provider_schema(self, diags: Any) -> schema.Schema:  # noqa: ARG002
            return schema.Schema(
                attributes=[schema.Attribute("profile", types.String(), optional=True)]
            )

        def validate_config(self, diags: Any, config: dict[str, Any]) -> None:
            """Accept everything."""

        def configure_provider(self, diags: Any, config: dict[str, Any]) -> None:  # noqa: ARG002
            self.profile = config.get("profile")

        def get_data_sources(self) -> list[type[Any]]:
            return [Caller]

        def get_resources(self) -> list[type[Any]]:
            return []

    return Who()
