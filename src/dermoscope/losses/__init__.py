"""Losses, one a file: a function, then a thin `nn.Module`."""
