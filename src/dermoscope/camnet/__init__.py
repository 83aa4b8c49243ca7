"""Convolutional networks with class activation maps (torch)."""
