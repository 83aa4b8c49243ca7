"""Metrics with intervals. Torch-free."""
