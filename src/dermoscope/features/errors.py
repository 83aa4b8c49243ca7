"""The ways stored features, and the machines that make them, can be out of reach."""

from __future__ import annotations


class FeatureError(LookupError):
    """A feature is not stored; the message names the image, the view and the command that makes it."""


class StoreError(RuntimeError):
    """A store or an encoder folder cannot be used; the message names it and the way out."""


class CoresError(StoreError):
    """A Ray cluster has too few free CPUs; the message says how many were needed and how many there are."""
