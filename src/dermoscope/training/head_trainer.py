"""Trains a head as a recipe says: a plain loop in torch, the same numbers for the same seed, also after a break."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Self, cast

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dermoscope.heads.calibration import calibrated_probabilities
from dermoscope.heads.face import standardisation
from dermoscope.heads.fit import FeatureSet, logits_of
from dermoscope.heads.mlp import AveragedHead, MLPHead
from dermoscope.training.head_metrics import HeadEpoch, decisions, is_better
from dermoscope.training.mixing import mix
from dermoscope.training.moving_average import copied_state
from dermoscope.training.objectives import build_loss
from dermoscope.training.recipes.schema import MLPPart, Recipe, WeightedPart
from dermoscope.training.sampling import draw_probability
from dermoscope.training.schedules import build_optimiser, build_schedule
from dermoscope.training.trainer_state import TrainerState, load_state, save_state

OnEpoch = Callable[[HeadEpoch], None]
"""Called with every epoch, those of an earlier run included."""


class TrainingError(ValueError):
    """Training cannot go on; the message says which setting to change."""


class HeadTrainer:
    """Trains one head for each seed of a recipe and averages them.

    Args:
        recipe: What to do; its head is an MLP or linear.
        classes: Name of each of the K outputs.
        checkpoints: Folder for a checkpoint a seed, written after every epoch; a training that finds one there goes on
            from it. None keeps none.
        on_epoch: Called with every epoch.
    """

    module: nn.Module

    def __init__(
        self,
        recipe: Recipe,
        classes: tuple[str, ...],
        *,
        checkpoints: Path | None = None,
        on_epoch: OnEpoch = lambda _: None,
    ) -> None:
        self.recipe = recipe
        self.classes = classes
        self._checkpoints = checkpoints
        self._on_epoch = on_epoch

    def fit(self, train: FeatureSet, development: FeatureSet) -> Self:
        """Train.

        Args:
            train: Labels 0 to K-1, each of which occurs.
            development: Chooses the epoch.

        Raises:
            TrainingError: If the loss is no longer finite.
            CheckpointError: If there is a checkpoint of another training.
            OutputError: If a checkpoint cannot be written.
        """
        inputs = _fingerprint(self.recipe, train, development) if self._checkpoints else ""
        members = []
        for seed in self.recipe.seeds:
            path = self._checkpoints / f"seed-{seed}.safetensors" if self._checkpoints else None
            with _one_thread(), _own_randomness(seed):
                member = _Member(self.recipe, self.classes, train, development, seed)
                members.append(member.run(path, inputs, self._on_epoch))
        self.module = (members[0] if len(members) == 1 else AveragedHead(members)).eval()
        return self

    def predict_proba(self, features: NDArray[np.float32]) -> NDArray[np.float64]:
        """Probabilities `[N, K]` of features `[N, F]`, not calibrated."""
        return calibrated_probabilities(logits_of(self.module, features), 1.0, np.zeros(len(self.classes)))


class _Member:
    """One head in training."""

    def __init__(
        self, recipe: Recipe, classes: tuple[str, ...], train: FeatureSet, development: FeatureSet, seed: int
    ) -> None:
        self.recipe, self.classes, self.seed = recipe, classes, seed
        self.features, self.labels = torch.from_numpy(train.features), torch.from_numpy(train.labels)
        self.development, self.truth = torch.from_numpy(development.features), torch.from_numpy(development.labels)
        mean, std = standardisation(train.features, wanted=recipe.input.standardise)
        hidden, dropout = (recipe.head.hidden, recipe.head.dropout) if isinstance(recipe.head, MLPPart) else ((), 0.0)
        self.head = MLPHead(len(classes), mean, std, hidden, dropout)
        self.loss = build_loss(recipe.loss, classes, np.bincount(train.labels, minlength=len(classes)).tolist())
        self.optimiser = build_optimiser(recipe.optimiser, self.head.parameters())
        self.steps = -(-len(train.labels) // recipe.optimiser.batch_size)
        self.schedule = build_schedule(recipe.schedule, self.optimiser, self.steps * recipe.stopping.epochs)
        train_sample = recipe.sampling.train
        self.probability = (
            torch.from_numpy(draw_probability(train.labels, train_sample.balance))
            if isinstance(train_sample, WeightedPart)
            else None
        )

    def run(self, path: Path | None, inputs: str, on_epoch: OnEpoch) -> MLPHead:
        stopping = self.recipe.stopping
        history: list[HeadEpoch] = []
        best_epoch, best, finished = 0, copied_state(self.head), False
        if path and (state := load_state(path, inputs, HeadEpoch)):
            history, best_epoch, best, finished = (
                list(state.history),
                state.best_epoch,
                dict(state.best),
                state.finished,
            )
            self.head.load_state_dict(state.model)
            self.optimiser.load_state_dict(state.optimiser)
            if self.schedule.scheduler:
                self.schedule.scheduler.load_state_dict(state.schedule)
            for line in history:
                on_epoch(line)
        while not finished:
            line = self._epoch(len(history) + 1)
            if is_better(line.metrics, history[best_epoch - 1].metrics if best_epoch else None, stopping.select):
                best_epoch, best = len(history) + 1, copied_state(self.head)
            history.append(line)
            waited = len(history) - best_epoch
            finished = len(history) == stopping.epochs or bool(stopping.patience and waited >= stopping.patience)
            if path:
                save_state(self._state(inputs, history, best_epoch, best, finished), path)
            on_epoch(line)
        self.head.load_state_dict(best)
        return self.head.eval()

    def _state(
        self, inputs: str, history: list[HeadEpoch], best_epoch: int, best: dict[str, Tensor], finished: bool
    ) -> TrainerState[HeadEpoch]:
        return TrainerState(
            inputs=inputs,
            history=tuple(history),
            best_epoch=best_epoch,
            finished=finished,
            model=self.head.state_dict(),
            best=best,
            optimiser=self.optimiser.state_dict(),
            schedule=self.schedule.scheduler.state_dict() if self.schedule.scheduler else {},
        )

    def _epoch(self, epoch: int) -> HeadEpoch:
        torch.manual_seed(_seed(self.seed, epoch))
        random = np.random.default_rng([self.seed, epoch])
        rate = self.optimiser.param_groups[0]["lr"]
        training_loss = self._learn(epoch, random)
        logits = self._logits(self.development)
        validation_loss = float(self.loss(logits, self.truth))
        if not np.isfinite([training_loss, validation_loss]).all():
            raise TrainingError(
                f"epoch {epoch}: the loss is no longer finite; try a smaller one with "
                f"--set optimiser.learning_rate={rate / 10:.1g}"
            )
        self.schedule.after_epoch(validation_loss)
        scores, confusion = decisions(self.truth.numpy(), logits.argmax(1).numpy(), len(self.classes))
        metrics = {"training loss": training_loss, "loss": validation_loss, **scores, "learning rate": rate}
        return HeadEpoch(head=self.recipe.name, seed=self.seed, epoch=epoch, metrics=metrics, confusion=confusion)

    def _learn(self, epoch: int, random: np.random.Generator) -> float:
        """One pass over the samples; the mean loss of them."""
        size = self.recipe.optimiser.batch_size
        order = self._order()
        total = torch.zeros(())
        self.head.train()
        for features, labels in zip(self.features[order].split(size), self.labels[order].split(size), strict=True):
            mixed = mix(self.recipe.mixing, features, epoch, random)
            if mixed is None:
                loss = self.loss(self._answers(features), labels)
            else:
                logits = self._answers(mixed.features)
                loss = mixed.share * self.loss(logits, labels)
                loss = loss + (1 - mixed.share) * self.loss(logits, labels[mixed.partner])
            self.optimiser.zero_grad(set_to_none=True)
            loss.backward()
            self.optimiser.step()
            self.schedule.after_step()
            total += loss.detach() * len(labels)
        return float(total) / len(order)

    def _order(self) -> Tensor:
        if self.probability is None:
            return torch.randperm(len(self.labels))
        return torch.multinomial(self.probability, len(self.labels), replacement=True)

    def _answers(self, features: Tensor) -> Tensor:
        with torch.autocast("cpu", torch.bfloat16, enabled=self.recipe.precision == "bfloat16"):
            logits = self.head(features)
        return cast(Tensor, logits).float()

    def _logits(self, features: Tensor) -> Tensor:
        self.head.eval()
        with torch.inference_mode():
            return cast(Tensor, self.head(features))


@contextmanager
def _one_thread() -> Iterator[None]:
    """A head is too small to be shared among cores, and its numbers must not depend on how many there are."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _own_randomness(seed: int) -> Iterator[None]:
    """Torch's generator from a seed inside the block, and as it was after it."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(_seed(seed, 0))
        yield


def _seed(seed: int, epoch: int) -> int:
    return int(np.random.SeedSequence([seed, epoch]).generate_state(1, np.uint64)[0] >> 1)


def _fingerprint(recipe: Recipe, train: FeatureSet, development: FeatureSet) -> str:
    """SHA-256 over everything that decides what comes out, but for the machine."""
    digest = hashlib.sha256(recipe.model_dump_json().encode())
    for part in (train, development):
        digest.update(np.ascontiguousarray(part.features).data)
        digest.update(np.ascontiguousarray(part.labels).data)
    return digest.hexdigest()
