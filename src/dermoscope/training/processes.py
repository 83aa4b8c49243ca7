"""The processes that train one network together, as torchrun has started them; without it there is one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
from accelerate import Accelerator
from accelerate.utils import DistributedDataParallelKwargs, broadcast, reduce


class Processes:
    """Who does what. All see the same files; the first one alone writes a run and speaks to people."""

    def __init__(self) -> None:
        # Without the word cpu, processes on a machine without a graphics card would not find each other; and backbones
        # of timm may have layers behind their last maps, which learn nothing here.
        unused = DistributedDataParallelKwargs(find_unused_parameters=True)
        self.accelerator = Accelerator(cpu=not torch.accelerator.is_available(), kwargs_handlers=[unused])

    @property
    def is_first(self) -> bool:
        """Whether this one writes."""
        return bool(self.accelerator.is_main_process)

    def wait(self) -> None:
        """Go on when every process has come here."""
        self.accelerator.wait_for_everyone()

    @contextmanager
    def one_at_a_time(self) -> Iterator[None]:
        """Do something one after the other, the first process first: what it has written, the others find."""
        for turn in range(self.accelerator.num_processes):
            if turn == self.accelerator.process_index:
                yield
            self.wait()

    def as_first(self, tensors: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        """The tensors of the first process, on all of them."""
        if self.accelerator.num_processes == 1:
            return tensors
        return {name: broadcast(tensor.contiguous()) for name, tensor in tensors.items()}

    def mean(self, values: dict[str, float]) -> dict[str, float]:
        """The mean over processes of some numbers of theirs."""
        if self.accelerator.num_processes == 1:
            return values
        own = torch.tensor(list(values.values()), device=self.accelerator.device)
        return dict(zip(values, reduce(own, "mean").tolist(), strict=True))

    def leave(self) -> None:
        """Part from the others when all is done."""
        self.accelerator.end_training()
