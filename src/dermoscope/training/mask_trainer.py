"""Trains a model for lesion masks: a plain loop in torch that goes on after a break with the very same numbers."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.optim import AdamW

from dermoscope.losses.mask_sum import MaskLoss
from dermoscope.segment.prompts import Prompt, no_prompt
from dermoscope.segment.simulated import jittered_box
from dermoscope.training.announcements import OnEpoch, OnStep
from dermoscope.training.head_trainer import TrainingError
from dermoscope.training.mask_data import MaskData
from dermoscope.training.mask_models import MaskModel
from dermoscope.training.mask_prompts import PromptBatch, corrected, drawn_prompt, prompt_batch
from dermoscope.training.moving_average import MovingAverage, copied_state
from dermoscope.training.recipes.masks import MaskOptimiserPart, MaskRecipe
from dermoscope.training.run_folder import EpochMetrics
from dermoscope.training.trainer_state import TrainerState, load_state, save_state

SELECT = "Dice without a prompt"
_BOXED = "Dice from a jittered box"
_HALF = 0.5
_VALIDATION = 0  # in the place of an epoch, whose numbers begin at 1


class MaskTrainer:
    """Trains one model as a recipe says and keeps the epoch with the best masks on validation images.

    Args:
        recipe: What to do.
        model: What is trained, in place.
        groups: Its trained parameters, as optimisers take them.
        scale: Pixels of the model's square input to a cell of its mask.
        checkpoint: A file that is written after every epoch and gone on from; none keeps none.
        on_epoch: Called with every epoch.
        on_step: Called with every step.
    """

    def __init__(
        self,
        recipe: MaskRecipe,
        model: nn.Module,
        groups: Sequence[dict[str, object]],
        *,
        scale: float,
        checkpoint: Path | None = None,
        on_epoch: OnEpoch = lambda _: None,
        on_step: OnStep = lambda _done, _all, _loss: None,
    ) -> None:
        self.recipe, self.model, self._scale = recipe, model, scale
        self._checkpoint, self._on_epoch, self._on_step = checkpoint, on_epoch, on_step
        part = recipe.optimiser
        self._optimiser = AdamW(list(groups), lr=part.learning_rate, weight_decay=part.weight_decay)
        self._peaks = [group["lr"] for group in self._optimiser.param_groups]
        self._trained = [p for group in self._optimiser.param_groups for p in group["params"]]
        weights = recipe.loss
        self._loss = MaskLoss(weights.dice, weights.cross_entropy, weights.focal, weights.gamma)
        self._average = MovingAverage(model, part.average)

    def fit(self, train: MaskData, validation: MaskData, inputs: str = "") -> tuple[EpochMetrics, ...]:
        """Train; afterwards the model has the weights of its best epoch and is in evaluation mode.

        Args:
            train: What is learnt from.
            validation: What chooses the epoch; its first copies.
            inputs: Fingerprint of the images, so that no checkpoint of others is gone on from.

        Raises:
            TrainingError: If the loss is no longer finite.
            CheckpointError: If the checkpoint is of another training.
            OutputError: If it cannot be written.
        """
        inputs = hashlib.sha256(f"{self.recipe.model_dump_json()}\n{inputs}".encode()).hexdigest()
        history: list[EpochMetrics] = []
        best_epoch, best = 0, copied_state(self.model)
        if self._checkpoint and (state := load_state(self._checkpoint, inputs, EpochMetrics)):
            history, best_epoch, best = list(state.history), state.best_epoch, dict(state.best)
            self.model.load_state_dict(state.model)
            self._average.tensors = dict(state.average)
            self._optimiser.load_state_dict(state.optimiser)
            for line in history:
                self._on_epoch(line)
        for epoch in range(len(history) + 1, self.recipe.epochs + 1):
            loss = self._learn(train, epoch)
            now = copied_state(self.model)
            self.model.load_state_dict(self._average.state())
            scores = self.score(validation)
            line = EpochMetrics(
                head=self.recipe.name, seed=self.recipe.seed, epoch=epoch, metrics={"training loss": loss, **scores}
            )
            if not history or scores[SELECT] > max(one.metrics[SELECT] for one in history):
                best_epoch, best = epoch, copied_state(self.model)
            history.append(line)
            self.model.load_state_dict(now)
            self._on_epoch(line)
            if self._checkpoint:
                save_state(
                    TrainerState(
                        inputs=inputs,
                        history=tuple(history),
                        best_epoch=best_epoch,
                        finished=epoch == self.recipe.epochs,
                        model=now,
                        best=best,
                        optimiser=self._optimiser.state_dict(),
                        schedule={},
                        average=self._average.tensors,
                    ),
                    self._checkpoint,
                )
        self.model.load_state_dict(best)
        self.model.eval()
        return tuple(history)

    def score(self, data: MaskData) -> dict[str, float]:
        """Mean Dice of the images as they are, at the model's own resolution: without a prompt, and from a box."""
        self.model.eval()
        random = self._random(_VALIDATION)
        found: dict[str, list[float]] = {SELECT: [], _BOXED: []}
        for indices in np.array_split(np.arange(len(data)), max(1, len(data) // self.recipe.optimiser.batch_size)):
            inputs, targets = data.batch(indices, 0)
            truth = (targets >= _HALF).numpy()
            boxes = [jittered_box(mask, random) if mask.any() else no_prompt() for mask in truth]
            for name, prompts in ((SELECT, [no_prompt()] * len(truth)), (_BOXED, boxes)):
                with torch.inference_mode():
                    logits, overlaps = self._answer(inputs, prompt_batch(prompts, self._scale))
                found[name] += _dice((logits > 0).numpy(), truth)
                if overlaps is None:
                    break
        return {name: float(np.mean(values)) for name, values in found.items() if values}

    def tried_step(self, inputs: Tensor, targets: Tensor) -> float:
        """Seconds that a step on such a batch takes; the model is as before afterwards."""
        before = copied_state(self.model)
        _train_mode(self.model)
        for group in self._optimiser.param_groups:
            group["lr"] = 0.0
        start = time.perf_counter()
        self._step(inputs, targets, self._random(_VALIDATION), 0)
        seconds = time.perf_counter() - start
        self.model.load_state_dict(before)
        self._average.begin()
        self._optimiser.state.clear()
        return seconds

    def _learn(self, data: MaskData, epoch: int) -> float:
        """One pass over the training images, and the mean loss of it."""
        _train_mode(self.model)
        random = self._random(epoch)
        torch.manual_seed(int(random.integers(1 << 62)))
        size = self.recipe.optimiser.batch_size
        steps = -(-len(data) // size)
        order, total = random.permutation(len(data)), 0.0
        for step in range(steps):
            done = (epoch - 1) * steps + step
            all_steps = self.recipe.epochs * steps
            for group, peak in zip(self._optimiser.param_groups, self._peaks, strict=True):
                group["lr"] = peak * rate_factor(done, all_steps, self.recipe.optimiser)
            loss = self._step(*data.batch(order[step * size : (step + 1) * size], epoch - 1), random, done)
            if not math.isfinite(loss):
                raise TrainingError(f"the loss is {loss} in epoch {epoch}; a smaller optimiser.learning_rate may help")
            total += loss
            self._on_step(done + 1, all_steps, loss)
        return total / steps

    def _step(self, inputs: Tensor, targets: Tensor, random: np.random.Generator, done: int) -> float:
        truth = (targets >= _HALF).numpy()
        prompts = [drawn_prompt(mask, self.recipe.prompts, random) for mask in truth]
        self._optimiser.zero_grad(set_to_none=True)
        logits, overlaps = self._answer(inputs, prompt_batch(prompts, self._scale))
        loss = self._judged(logits, overlaps, targets)
        again = self._corrections(prompts, logits, truth, random) if overlaps is not None else None
        if again is not None:
            rows, second = again
            loss = loss + len(rows) / len(truth) * self._judged(*self._answer(inputs[rows], second), targets[rows])
        loss.backward()
        nn.utils.clip_grad_norm_(self._trained, self.recipe.optimiser.largest_gradient)
        self._optimiser.step()
        self._average.follow(done)
        return float(loss.detach())

    def _corrections(
        self, prompts: Sequence[Prompt], logits: Tensor, truth: NDArray[np.bool_], random: np.random.Generator
    ) -> tuple[NDArray[np.intp], PromptBatch] | None:
        """The rows to be decoded once more, with their mask and a click; none where nothing is to be corrected."""
        count = round(self.recipe.prompts.corrected * len(truth))
        rows = np.flatnonzero(truth.any(axis=(1, 2)))[:count]
        if not len(rows):
            return None
        masks = (logits.detach() > 0).numpy()
        again = [corrected(prompts[row], masks[row], truth[row], random) for row in rows]
        return rows, prompt_batch(again, self._scale, logits[rows])

    def _judged(self, logits: Tensor, overlaps: Tensor | None, targets: Tensor) -> Tensor:
        loss: Tensor = self._loss(logits, targets)
        if overlaps is None or not self.recipe.loss.predicted_iou:
            return loss
        with torch.no_grad():
            found, wanted = (logits > 0).flatten(1), (targets >= _HALF).flatten(1)
            union = (found | wanted).sum(1)
            iou = torch.where(union > 0, (found & wanted).sum(1) / union.clamp_min(1), 1.0)
        return loss + self.recipe.loss.predicted_iou * torch.mean((overlaps - iou) ** 2)

    def _answer(self, inputs: Tensor, prompts: PromptBatch) -> tuple[Tensor, Tensor | None]:
        model: MaskModel = self.model
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            logits, overlaps = model(inputs, prompts)
        return logits.float(), None if overlaps is None else overlaps.float()

    def _random(self, epoch: int) -> np.random.Generator:
        return np.random.default_rng([self.recipe.seed, epoch])


def rate_factor(step: int, steps: int, part: MaskOptimiserPart) -> float:
    """Share of the peak learning rate: up in a line, then down along half a cosine to nothing.

    Args:
        step: From 0.
        steps: In all.
        part: Says how long the way up is.
    """
    up = max(1, round(part.warm_up * steps))
    if step < up:
        return (step + 1) / up
    return 0.5 * (1 + math.cos(math.pi * (step - up) / max(1, steps - up)))


def _train_mode(model: nn.Module) -> None:
    """Training mode, but the statistics of a SAM's encoder stay: batches are too small to find better ones."""
    model.train()
    encoder = getattr(model, "encoder", None)
    for module in encoder.modules() if isinstance(encoder, nn.Module) else ():
        if isinstance(module, nn.BatchNorm2d):
            module.eval()


def _dice(predicted: NDArray[np.bool_], truth: NDArray[np.bool_]) -> list[float]:
    both = (predicted & truth).sum(axis=(1, 2))
    areas = predicted.sum(axis=(1, 2)) + truth.sum(axis=(1, 2))
    return [2 * int(b) / int(a) if a else 1.0 for b, a in zip(both, areas, strict=True)]
