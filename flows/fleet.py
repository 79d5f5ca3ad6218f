"""Deployments made before this release look here for a flow that moved; gone in the next."""

from flows.audit import audit_lists

__all__ = ["audit_lists"]
