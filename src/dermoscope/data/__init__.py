"""Manifests, readers of official layouts, splits. Torch-free."""
