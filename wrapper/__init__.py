"""Run Terraform and the cloud CLIs as the right identity."""

__version__ = "0.1.0"
