"""What a mask training will take, measured on this machine before it starts."""

from __future__ import annotations

import sys

import torch

from dermoscope.training.announcements import Forecast
from dermoscope.training.mask_data import CachedData, MaskData
from dermoscope.training.mask_trainer import MaskTrainer
from dermoscope.training.recipes.masks import MaskRecipe

_TRIALS = 3


def forecast(recipe: MaskRecipe, trainer: MaskTrainer, data: MaskData, shape: tuple[int, ...]) -> Forecast:
    """Try a few steps on noise, whose weights are put back afterwards, and count the rest.

    Args:
        recipe: What will be done.
        trainer: Of a model that is not yet trained.
        data: The training images; a cache may still be empty.
        shape: Of one input of the model.
    """
    size = min(recipe.optimiser.batch_size, len(data))
    steps = recipe.epochs * -(-len(data) // recipe.optimiser.batch_size)
    random = torch.Generator().manual_seed(0)
    inputs = torch.rand((size, *shape), generator=random)
    targets = torch.zeros(size, data.side, data.side)
    targets[:, data.side // 4 : data.side // 2, data.side // 4 : data.side // 2] = 1.0
    took = [trainer.tried_step(inputs, targets) for _ in range(_TRIALS)]
    cache = data.cache if isinstance(data, CachedData) else None
    return Forecast(
        cache_seconds=cache.missing * cache.try_one() if cache and cache.missing else 0.0,
        training_seconds=min(took) * steps,
        memory_bytes=peak_memory(),
        disk_bytes=cache.bytes if cache else 0,
        steps=steps,
    )


def peak_memory() -> int:
    """Largest resident size of this process so far, in bytes; 0 where the system does not say."""
    try:
        import resource
    except ImportError:  # Windows
        return 0
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
