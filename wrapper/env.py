"""What a program's environment gets and loses, as a value with an inverse."""

from __future__ import annotations

from collections.abc import Mapping

from wrapper.typed import NamedTuple


class EnvDelta(NamedTuple):
    """A change of an environment.

    `set` and `unset` never share a name. `files` maps absolute paths to bytes to be written with
    mode 0600 before a program starts. `secret` names variables whose values are masked in output.
    """

    set: Mapping[str, str] = {}
    unset: frozenset[str] = frozenset()
    files: Mapping[str, bytes] = {}
    secret: frozenset[str] = frozenset()

    def __repr__(self) -> str:
        return f"EnvDelta(set={sorted(self.set)}, unset={sorted(self.unset)}, files={sorted(self.files)})"

    def then(self, later: EnvDelta) -> EnvDelta:
        """Return one delta that does this one, then `later`."""
        kept = {k: v for k, v in self.set.items() if k not in later.unset}
        return EnvDelta(
            {**kept, **later.set},
            (self.unset - frozenset(later.set)) | later.unset,
            {**self.files, **later.files},
            self.secret | later.secret,
        )

    def apply(self, environ: Mapping[str, str]) -> dict[str, str]:
        """Return the environment after the change; files are not written."""
        changed = {k: v for k, v in environ.items() if k not in self.unset}
        changed.update(self.set)
        return changed

    def inverse(self, environ: Mapping[str, str]) -> EnvDelta:
        """Return the delta that leads from `apply(environ)` back to `environ`."""
        touched = self.unset | frozenset(self.set)
        return EnvDelta(
            {k: environ[k] for k in touched if k in environ},
            frozenset(k for k in touched if k not in environ),
        )


class Scrub(NamedTuple):
    """What of one cloud must not reach a program from the shell: names, and beginnings of names."""

    names: frozenset[str]
    prefixes: tuple[str, ...]


# Source: design 6, reference/atmos-auth.md 5.4, the credential chains of the clouds' SDKs.
SCRUB: Mapping[str, Scrub] = {
    "aws": Scrub(
        frozenset(
            (
                "AWS_ACCESS_KEY_ID",
                "AWS_SECRET_ACCESS_KEY",
                "AWS_SESSION_TOKEN",
                "AWS_SECURITY_TOKEN",
                "AWS_ACCESS_KEY",
                "AWS_SECRET_KEY",
                "AWS_PROFILE",
                "AWS_DEFAULT_PROFILE",
                "AWS_CONFIG_FILE",
                "AWS_SHARED_CREDENTIALS_FILE",
                "AWS_CREDENTIAL_FILE",
                "AWS_CREDENTIAL_EXPIRATION",
                "AWS_CREDENTIAL_SCOPE",
                "AWS_ACCOUNT_ID",
                "AWS_ROLE_ARN",
                "AWS_ROLE_SESSION_NAME",
                "AWS_WEB_IDENTITY_TOKEN_FILE",
                "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
                "AWS_CONTAINER_CREDENTIALS_FULL_URI",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN",
                "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
                "AWS_BEARER_TOKEN_BEDROCK",
                "AWS_VAULT",
                "AWS_VAULT_BACKEND",
                "AWS_SSO_ACCOUNT_ID",
                "AWS_SSO_ROLE_NAME",
                "AWS_SSO_START_URL",
                "AWS_SSO_REGION",
                "AWS_SSO_SESSION",
                "AWS_SDK_LOAD_CONFIG",
                "AWS_EC2_METADATA_DISABLED",
                "BOTO_CONFIG",
            )
        ),
        ("AWS_CONTAINER_", "AWS_SSO_", "AWS_BEARER_TOKEN_", "AWS_VAULT_", "AWS_ASSUME_ROLE_"),
    ),
    "azure": Scrub(
        frozenset(
            (
                "AZURE_CLIENT_ID",
                "AZURE_CLIENT_SECRET",
                "AZURE_CLIENT_CERTIFICATE_PATH",
                "AZURE_CLIENT_CERTIFICATE_PASSWORD",
                "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN",
                "AZURE_USERNAME",
                "AZURE_PASSWORD",
                "AZURE_TENANT_ID",
                "AZURE_SUBSCRIPTION_ID",
                "AZURE_FEDERATED_TOKEN_FILE",
                "AZURE_FEDERATED_TOKEN",
                "AZURE_AUTHORITY_HOST",
                "AZURE_CONFIG_DIR",
                "AZURE_ENVIRONMENT",
                "AZURE_LOCATION",
                "AZURE_REGION",
                "AZURE_RESOURCE_GROUP",
                "AZURE_ACCESS_TOKEN_FILE",
                "AZURE_TOKEN_CREDENTIALS",
                "AZURE_POD_IDENTITY_AUTHORITY_HOST",
                "AZURE_STORAGE_ACCOUNT",
                "AZURE_STORAGE_KEY",
                "AZURE_STORAGE_SAS_TOKEN",
                "AZURE_STORAGE_CONNECTION_STRING",
                "ARM_CLIENT_ID",
                "ARM_CLIENT_ID_FILE_PATH",
                "ARM_CLIENT_SECRET",
                "ARM_CLIENT_SECRET_FILE_PATH",
                "ARM_CLIENT_CERTIFICATE",
                "ARM_CLIENT_CERTIFICATE_PATH",
                "ARM_CLIENT_CERTIFICATE_PASSWORD",
                "ARM_TENANT_ID",
                "ARM_AUXILIARY_TENANT_IDS",
                "ARM_SUBSCRIPTION_ID",
                "ARM_ENVIRONMENT",
                "ARM_METADATA_HOST",
                "ARM_METADATA_HOSTNAME",
                "ARM_LOCATION",
                "ARM_RESOURCE_GROUP",
                "ARM_USE_AKS_WORKLOAD_IDENTITY",
                "ARM_USE_CLI",
                "ARM_USE_MSI",
                "ARM_USE_OIDC",
                "ARM_MSI_ENDPOINT",
                "ARM_MSI_API_VERSION",
                "ARM_OIDC_TOKEN",
                "ARM_OIDC_TOKEN_FILE_PATH",
                "ARM_OIDC_REQUEST_TOKEN",
                "ARM_OIDC_REQUEST_URL",
                "ARM_OIDC_AZURE_SERVICE_CONNECTION_ID",
                "ARM_ADO_PIPELINE_SERVICE_CONNECTION_ID",
                "ARM_ACCESS_KEY",
                "ARM_SAS_TOKEN",
                "ARM_USE_AZUREAD",
                "MSI_ENDPOINT",
                "MSI_SECRET",
                "IDENTITY_ENDPOINT",
                "IDENTITY_HEADER",
                "IDENTITY_SERVER_THUMBPRINT",
                "IMDS_ENDPOINT",
            )
        ),
        ("ARM_CLIENT_CERTIFICATE", "ARM_OIDC_", "AZURE_CLIENT_CERTIFICATE", "AZURE_FEDERATED_"),
    ),
    "gcp": Scrub(
        frozenset(
            (
                "GOOGLE_APPLICATION_CREDENTIALS",
                "GOOGLE_CREDENTIALS",
                "GOOGLE_CLOUD_KEYFILE_JSON",
                "GCLOUD_KEYFILE_JSON",
                "GOOGLE_BACKEND_CREDENTIALS",
                "GOOGLE_BACKEND_IMPERSONATE_SERVICE_ACCOUNT",
                "GOOGLE_IMPERSONATE_SERVICE_ACCOUNT",
                "GOOGLE_OAUTH_ACCESS_TOKEN",
                "GOOGLE_ACCESS_TOKEN",
                "GOOGLE_CLOUD_PROJECT",
                "GOOGLE_CLOUD_QUOTA_PROJECT",
                "GOOGLE_BILLING_PROJECT",
                "USER_PROJECT_OVERRIDE",
                "GOOGLE_PROJECT",
                "GCLOUD_PROJECT",
                "GCP_PROJECT",
                "GOOGLE_REGION",
                "GCLOUD_REGION",
                "GOOGLE_CLOUD_REGION",
                "GOOGLE_ZONE",
                "GCLOUD_ZONE",
                "GOOGLE_CLOUD_ZONE",
                "GOOGLE_EXTERNAL_ACCOUNT_ALLOW_EXECUTABLES",
                "GOOGLE_API_USE_CLIENT_CERTIFICATE",
                "CLOUDSDK_CONFIG",
                "CLOUDSDK_ACTIVE_CONFIG_NAME",
                "CLOUDSDK_CORE_ACCOUNT",
                "CLOUDSDK_CORE_PROJECT",
                "CLOUDSDK_PROJECT",
                "CLOUDSDK_COMPUTE_REGION",
                "CLOUDSDK_COMPUTE_ZONE",
                "CLOUDSDK_BILLING_QUOTA_PROJECT",
                "CLOUDSDK_AUTH_ACCESS_TOKEN",
                "CLOUDSDK_AUTH_ACCESS_TOKEN_FILE",
                "CLOUDSDK_AUTH_CREDENTIAL_FILE_OVERRIDE",
                "CLOUDSDK_AUTH_IMPERSONATE_SERVICE_ACCOUNT",
            )
        ),
        ("CLOUDSDK_AUTH_",),
    ),
}


def scrubbed(cloud: str, environ: Mapping[str, str]) -> frozenset[str]:
    """Return the names to take away for one cloud: the known ones, and those met in `environ`.

    Endpoints, proxies, CA bundles, retry settings and regions are no credentials: they stay.
    """
    table = SCRUB[cloud]
    met = {name for name in environ if name.startswith(table.prefixes)}
    return table.names | met
