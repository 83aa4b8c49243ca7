"""Trains a network with class activation maps: a plain loop in torch, on one device or, by accelerate, on many."""

from __future__ import annotations

import hashlib
import math
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from dermoscope.camnet.feature_memory import FeatureMemory
from dermoscope.camnet.network import CAMNetwork
from dermoscope.training.announcements import OnEpoch, OnStep
from dermoscope.training.cam_data import CropBatch, CropData
from dermoscope.training.cam_looking import Looked, answer_of, crop_probabilities, look
from dermoscope.training.cam_objective import CAMObjective, Terms
from dermoscope.training.cam_optimiser import build_optimiser
from dermoscope.training.head_metrics import HeadEpoch, decisions, is_better, mean_auc
from dermoscope.training.head_trainer import TrainingError
from dermoscope.training.moving_average import MovingAverage, copied_state
from dermoscope.training.processes import Processes
from dermoscope.training.recipes.cams import CAMRecipe
from dermoscope.training.recipes.schema import WeightedPart
from dermoscope.training.sampling import draw_probability
from dermoscope.training.schedules import build_schedule
from dermoscope.training.trainer_state import TrainerState, load_state, save_state

_TRIAL = 0  # in the place of an epoch, whose numbers begin at 1


@dataclass(frozen=True, eq=False)
class LabelledCrops:
    """Crops with the class of each image.

    Attributes:
        crops: The crops of N images.
        labels: `[N]`, 0 to K-1; -1 where an image has no answer.
    """

    crops: CropData
    labels: NDArray[np.int64]


class CAMTrainer:
    """Trains one network as a recipe says and keeps its best epoch, or the last, as the recipe says.

    Args:
        recipe: What to do.
        network: What is trained, in place.
        classes: Name of each of the K outputs.
        train: What is learnt from; every image has an answer.
        validation: What chooses the epoch; every image has an answer.
        checkpoint: A file that is written after every epoch and gone on from; none keeps none.
        on_epoch: Called with every epoch.
        on_step: Called with every step.
    """

    def __init__(
        self,
        recipe: CAMRecipe,
        network: CAMNetwork,
        classes: tuple[str, ...],
        train: LabelledCrops,
        validation: LabelledCrops,
        *,
        checkpoint: Path | None = None,
        on_epoch: OnEpoch = lambda _: None,
        on_step: OnStep = lambda _done, _all, _loss: None,
    ) -> None:
        self.recipe, self.network, self.classes = recipe, network, classes
        self._train, self._validation = train, validation
        self._checkpoint, self._on_epoch, self._on_step = checkpoint, on_epoch, on_step
        self._crops = len(recipe.crops.names)
        counts = np.bincount(train.labels, minlength=len(classes))
        self._processes = Processes()
        self._accelerator = self._processes.accelerator
        device = self._accelerator.device
        self.objective = CAMObjective(recipe.loss, classes, counts.tolist()).to(device)
        sampling = recipe.sampling
        balance = sampling.balance if isinstance(sampling, WeightedPart) else 0.0
        self._probability = draw_probability(train.labels, balance) if balance else None
        self._labels = torch.from_numpy(np.repeat(train.labels, self._crops))
        self._optimiser = build_optimiser(recipe.optimiser, network)
        self.steps = -(-self._epoch_samples() // recipe.optimiser.batch_size)
        self._schedule = build_schedule(recipe.schedule, self._optimiser, self.steps * recipe.stopping.epochs)
        self._prepared: nn.Module
        self._prepared, self._stepper = self._accelerator.prepare(network, self._optimiser)
        self._average = MovingAverage(network, recipe.optimiser.average)
        centre = recipe.loss.centre
        channels = network.classifier.in_features
        self._memory = FeatureMemory(self._labels, len(classes), channels, centre.momentum) if centre.weight else None

    def fit(self, inputs: str = "") -> tuple[HeadEpoch, ...]:
        """Train; afterwards the network has the weights of its best epoch and is in evaluation mode.

        Args:
            inputs: Fingerprint of images and weights, so that no checkpoint of others is gone on from.

        Raises:
            TrainingError: If the loss is no longer finite.
            CheckpointError: If the checkpoint is of another training.
            OutputError: If it cannot be written.
        """
        inputs = hashlib.sha256(f"{self.recipe.model_dump_json()}\n{inputs}".encode()).hexdigest()
        stopping = self.recipe.stopping
        history: list[HeadEpoch] = []
        best_epoch, best, finished = 0, copied_state(self.network), False
        if self._checkpoint and (state := load_state(self._checkpoint, inputs, HeadEpoch)):
            history, best_epoch, finished = list(state.history), state.best_epoch, state.finished
            best = dict(state.best)
            self._go_on_from(state)
            for line in history:
                self._on_epoch(line)
        while not finished:
            line, tried = self._epoch(len(history) + 1)
            if is_better(line.metrics, history[best_epoch - 1].metrics if best_epoch else None, stopping.select):
                best_epoch, best = len(history) + 1, tried
            history.append(line)
            waited = len(history) - best_epoch
            finished = len(history) == stopping.epochs or bool(stopping.patience and waited >= stopping.patience)
            if self._checkpoint and self._processes.is_first:
                save_state(self._state(inputs, history, best_epoch, best, finished), self._checkpoint)
            self._on_epoch(line)
        self.network.load_state_dict(best)
        self.network.eval()
        return tuple(history)

    def look(self, crops: CropData) -> Looked:
        """What the network says of images as they are, in evaluation mode."""
        size = self.recipe.optimiser.batch_size
        return look(self.network, crops, self._crops, size, precision=self.recipe.precision, processes=self._processes)

    def tried_step(self) -> float:
        """Seconds that a step takes on noise, its images at hand; the network is as before afterwards."""
        before, state = copied_state(self.network), self._optimiser.state_dict()
        contract, random = self._train.crops.contract, torch.Generator().manual_seed(0)
        size = -(-min(self.recipe.optimiser.batch_size, len(self._labels)) // self._accelerator.num_processes)
        images = torch.rand((size, 3, contract.size, contract.size), generator=random)
        masks = torch.rand((size, contract.map_size, contract.map_size), generator=random)
        batch = CropBatch(torch.arange(size), images, masks)
        self.network.train()
        start = time.perf_counter()
        self._step(batch, _TRIAL, remember=False)
        seconds = time.perf_counter() - start
        self.network.load_state_dict(before)
        self._optimiser.load_state_dict(state)
        return seconds

    def _epoch(self, epoch: int) -> tuple[HeadEpoch, dict[str, Tensor]]:
        """One pass, its scores, and the weights that were scored."""
        rate = self._optimiser.param_groups[-1]["lr"]
        start = time.perf_counter()
        losses, waited = self._learn(epoch)
        seconds = time.perf_counter() - start
        now = copied_state(self.network)
        # Running means are those of each process's own crops; what is tried and kept is what the first one has.
        tried = self._processes.as_first(self._average.state() if self.recipe.optimiser.average else now)
        self.network.load_state_dict(tried)
        tried = copied_state(self.network)
        logits = self._validation_logits()
        self.network.load_state_dict(now)
        labels = self._validation.labels
        flat, repeated = torch.from_numpy(logits).flatten(0, 1), np.repeat(labels, self._crops)
        with torch.inference_mode():
            device = self._accelerator.device
            loss = float(self.objective.classification(flat.to(device), torch.from_numpy(repeated).to(device)))
        if not np.isfinite([*losses.values(), loss]).all():
            raise self._not_finite(epoch)
        self._schedule.after_epoch(loss)
        probabilities = crop_probabilities(logits).mean(axis=1)
        scores, confusion = decisions(labels, probabilities.argmax(axis=1), len(self.classes))
        metrics = {
            **losses,
            "loss": loss,
            **scores,
            **mean_auc(labels, probabilities, self.recipe.task.task.ranked_classes),
            "learning rate": rate,
            "seconds": round(seconds, 3),
            "seconds waiting for images": round(waited, 3),
        }
        line = HeadEpoch(
            head=self.recipe.name, seed=self.recipe.seed, epoch=epoch, metrics=metrics, confusion=confusion
        )
        return line, tried

    def _learn(self, epoch: int) -> tuple[dict[str, float], float]:
        """One pass over the training crops: mean of every term, and seconds that the network waited for images."""
        random = np.random.default_rng([self.recipe.seed, epoch])
        torch.manual_seed(int(random.integers(1 << 62)) + self._accelerator.process_index)
        size = self.recipe.optimiser.batch_size
        order = self._order(random)
        batches = [self._share(order[start : start + size]) for start in range(0, len(order), size)]
        self.network.train()
        total: dict[str, float] = {}
        waited, asked = 0.0, time.perf_counter()
        done, all_steps = (epoch - 1) * self.steps, self.recipe.stopping.epochs * self.steps
        for step, batch in enumerate(self._train.crops.batches(self._crops, batches, epoch)):
            waited += time.perf_counter() - asked
            terms = self._step(batch, epoch, remember=True)
            self._schedule.after_step()
            if self.recipe.optimiser.average:
                self._average.follow(done + step)
            values = {"training loss": float(terms.total.detach())}
            values |= {f"training {name}": float(value.detach()) for name, value in terms.values.items()}
            if not math.isfinite(values["training loss"]):
                raise self._not_finite(epoch)
            for name, value in values.items():
                total[name] = total.get(name, 0.0) + value
            self._on_step(done + step + 1, all_steps, values["training loss"])
            asked = time.perf_counter()
        if self._memory is not None:
            self._memory.update()
        return self._processes.mean({name: value / len(batches) for name, value in total.items()}), waited

    def _step(self, batch: CropBatch, epoch: int, *, remember: bool) -> Terms:
        device = self._accelerator.device
        labels = self._labels[batch.samples].to(device)
        answer = answer_of(self._prepared, batch.images.to(device, non_blocking=True), self.recipe.precision)
        if not all(part.isfinite().all() for part in answer[:2]):
            raise self._not_finite(epoch)
        centred = self._memory is not None and epoch > self.recipe.loss.centre.after_epoch
        terms: Terms = self.objective(answer, labels, batch.masks.to(device), self._memory if centred else None)
        self._stepper.zero_grad(set_to_none=True)
        self._accelerator.backward(terms.total)
        if self.recipe.optimiser.largest_gradient is not None:
            self._accelerator.clip_grad_norm_(self.network.parameters(), self.recipe.optimiser.largest_gradient)
        self._stepper.step()
        if self._memory is not None and remember:
            samples, features = batch.samples, answer.features.detach()
            if self._accelerator.num_processes > 1:
                samples, features = self._accelerator.gather((samples.to(device), features))
            self._memory.remember(samples.cpu(), features)
        return terms

    def _not_finite(self, epoch: int) -> TrainingError:
        slower = self.recipe.optimiser.learning_rate / 10
        return TrainingError(
            f"epoch {epoch}: the loss is no longer finite; try smaller steps with "
            f"--set optimiser.learning_rate={slower:.1g}"
        )

    def _validation_logits(self) -> NDArray[np.float32]:
        return self.look(self._validation.crops).logits

    def _epoch_samples(self) -> int:
        shown = self._crops if self.recipe.crops.each_epoch == "all" else 1
        return shown * len(self._train.labels)

    def _order(self, random: np.random.Generator) -> NDArray[np.intp]:
        """The samples of an epoch in order, as many on every process."""
        images = len(self._train.labels)
        weights = self._probability
        chosen = np.arange(images) if weights is None else random.choice(images, images, p=weights)
        if self.recipe.crops.each_epoch == "all":
            samples = (chosen[:, None] * self._crops + np.arange(self._crops)).ravel()
        else:
            samples = chosen * self._crops + random.integers(self._crops, size=images)
        return np.asarray(random.permutation(samples), np.intp)

    def _share(self, samples: NDArray[np.intp]) -> NDArray[np.intp]:
        """What this process does of a batch; a batch that cannot be shared alike is filled up with its first ones."""
        processes = self._accelerator.num_processes
        missing = -len(samples) % processes
        return np.concatenate([samples, np.resize(samples, missing)])[self._accelerator.process_index :: processes]

    def _state(
        self, inputs: str, history: list[HeadEpoch], best_epoch: int, best: dict[str, Tensor], finished: bool
    ) -> TrainerState[HeadEpoch]:
        return TrainerState(
            inputs=inputs,
            history=tuple(history),
            best_epoch=best_epoch,
            finished=finished,
            model=self.network.state_dict(),
            best=best,
            optimiser=self._optimiser.state_dict(),
            schedule=self._schedule.scheduler.state_dict() if self._schedule.scheduler else {},
            average=self._average.tensors if self.recipe.optimiser.average else {},
            memory=self._memory.state() if self._memory else {},
        )

    def _go_on_from(self, state: TrainerState[HeadEpoch]) -> None:
        self.network.load_state_dict(dict(state.model))
        self._optimiser.load_state_dict(state.optimiser)
        if self._schedule.scheduler:
            self._schedule.scheduler.load_state_dict(state.schedule)
        if state.average:
            self._average.tensors = dict(state.average)
        if self._memory:
            self._memory.load(dict(state.memory))
