"""The two ways stored features can be out of reach."""

from __future__ import annotations


class FeatureError(LookupError):
    """A feature is not stored; the message names the image, the view and the command that makes it."""


class StoreError(RuntimeError):
    """A store or an encoder folder cannot be used; the message names it and the way out."""
