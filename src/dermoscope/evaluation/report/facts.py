"""What was asked for, what was read, and how the head of a report says so."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from dermoscope import __version__
from dermoscope.evaluation.gate import GateThreshold
from dermoscope.evaluation.mask_files import MaskTask
from dermoscope.evaluation.report.mask_part import PROMPT_NAMES
from dermoscope.evaluation.report.parts import Settings
from dermoscope.evaluation.tasks import BinaryTask, ClassTask
from dermoscope.evaluation.training_run import TrainingRun
from dermoscope.evaluation.truth import Matched
from dermoscope.taxonomy import NOT_SKIN


@dataclass(frozen=True)
class Request:
    """What to evaluate.

    Attributes:
        results: A results folder, a run folder of `dermoscope train`, a table of predictions, or a folder of masks.
        manifest: The truth.
        out: The run folder to write.
        masks: Folder of predicted masks; by default those that the results name.
        prompt: Where the prompts of the masks came from; by default `auto` for masks of `dermoscope analyze`.
        split: The split to score.
        sources: Data sets to score; all if empty.
        positive: A malignancy definition or a diagnosis code; by default what the predictions name.
        validation: Predictions for validation images of the same manifest; by default those in a run folder.
        validation_split: Their split.
        gate: Predictions of a skin gate for the same images, or its run folder, to put in front of the results.
        gate_threshold: Its threshold; by default chosen on the validation images.
        independent_scores: Whether the scores of an image need not sum to one.
        estimate_skin_tone: Whether to estimate skin tones from the images.
        store: Feature store of a run folder's features, for a map of them.
        overwrite: Whether an earlier run in `out` may be replaced.
        command: What was typed, for the header.
    """

    results: Path
    manifest: Path
    out: Path
    masks: Path | None = None
    prompt: str | None = None
    split: str = "test"
    sources: tuple[str, ...] = ()
    positive: str | None = None
    validation: Path | None = None
    validation_split: str = "val"
    gate: Path | None = None
    gate_threshold: float | None = None
    independent_scores: bool = False
    estimate_skin_tone: bool = False
    store: str | None = None
    overwrite: bool = False
    command: str = ""


@dataclass(frozen=True)
class Inputs:
    """What was read.

    Attributes:
        matched: Predictions with truth.
        classes: Questions with several classes.
        binary: Binary questions, the main one first.
        masks: Scored masks.
        validation: Predictions with truth on validation images.
        training: How the predictions came about, where they lie in a run folder.
        gate: Threshold of the gate that was put in front of the predictions; none if it was not.
    """

    matched: Matched
    classes: tuple[ClassTask, ...]
    binary: tuple[BinaryTask, ...]
    masks: MaskTask | None
    validation: Matched | None
    training: TrainingRun | None = None
    gate: GateThreshold | None = None


def where(matched: Matched, images: Iterable[int] | None = None) -> str:
    """Which images were scored, for captions: data sets and split.

    Args:
        matched: Predictions with truth.
        images: Which of them; all by default.
    """
    given = matched.truth.sources if images is None else [matched.truth.sources[image] for image in images]
    sources = sorted({source for source in given if source})
    named = ", ".join(sources) if len(sources) <= 3 else f"{len(sources)} sources"
    split = f"{matched.split} split" if matched.split else "no split named"
    return f"{named}, {split}" if named else split


def facts_of(request: Request, inputs: Inputs, settings: Settings) -> dict[str, str]:
    """What was scored and how, in words for the head of a report."""
    matched, truth, predictions = inputs.matched, inputs.matched.truth, inputs.matched.predictions
    sources = ", ".join(f"{name or 'no source'} {count:,}" for name, count in sorted(Counter(truth.sources).items()))
    facts = {
        "Data": f"{sources}; manifest {request.manifest.name} (sha256 {matched.manifest_sha256[:16]})",
        "Split": f"{matched.split or 'the manifest names none'}; hash {matched.split_hash}",
        "Images": f"{len(truth.image_ids):,} in {len(set(truth.groups)):,} groups (patient, else lesion, else image)",
        "Model": _model(request, inputs),
        "Prompt of the masks": PROMPT_NAMES[inputs.masks.prompt] if inputs.masks else "no masks scored",
        "Positive": _definition(request, inputs),
        "Validation": _validation(inputs),
        "Gate": _gate(request, inputs),
        "Intervals": f"95 %, bootstrap over these groups, {settings.resamples:,} resamples, seed {settings.seed}",
        "Command": request.command,
        "Made": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC with dermoscope {__version__}",
    }
    if predictions.failed:
        facts["Failed"] = f"{matched.unanswered:,} images of the split could not be analysed and are not scored"
    facts["Left out"] = left_out_of(inputs)
    if matched.outside:
        facts["Not scored"] = f"{matched.outside:,} predictions for images outside this split or source"
    return {name: fact for name, fact in facts.items() if fact}


def left_out_of(inputs: Inputs) -> str:
    """How many images have no answer to the question of a run, for a person; empty where all have one."""
    left_out, training = inputs.matched.left_out, inputs.training
    if not left_out or training is None:
        return ""
    listed = ", ".join(f"{count:,} {code}" for code, count in left_out.items())
    count = sum(left_out.values())
    images, are = ("image", "is") if count == 1 else ("images", "are")
    return f"{count:,} {images} without an answer to {training.question} {are} left out: {listed}"


def _model(request: Request, inputs: Inputs) -> str:
    bundle = inputs.matched.predictions.bundle
    if inputs.training and not inputs.training.encoder:
        return inputs.training.recipe
    if inputs.training:
        return f"{inputs.training.recipe} on features of the encoder {inputs.training.encoder}"
    return f"bundle {bundle}" if bundle else f"not named; predictions from {request.results.name}"


def _definition(request: Request, inputs: Inputs) -> str:
    if not inputs.binary:
        return "no binary question scored"
    task = inputs.binary[0]
    name = request.positive or inputs.matched.predictions.definition or task.key
    return f"{name}: {task.meaning}"


def _validation(inputs: Inputs) -> str:
    if inputs.validation is None:
        return "none given: no temperature, no prediction sets, target thresholds read off the scored images"
    given = f"{len(inputs.validation.truth.image_ids):,} images, {where(inputs.validation)}"
    return f"{given}; temperature, prediction sets and target thresholds come from them"


def _gate(request: Request, inputs: Inputs) -> str:
    if request.gate is None or inputs.gate is None:
        return ""
    return f"{request.gate.name}; refuses below a p_skin of {inputs.gate.value:.4g} ({inputs.gate.source})"


def warnings_of(inputs: Inputs) -> tuple[str, ...]:
    """What a reader must know before any number."""
    matched, found = inputs.matched, []
    if not matched.split:
        found.append("The manifest names no split: nobody can tell from it whether the model has seen these images.")
    elif matched.split != "test":
        found.append(f"These are numbers on the {matched.split} split. They are no test numbers.")
    if matched.unanswered:
        found.append(
            f"{matched.unanswered:,} images of the split could not be analysed and are missing from all numbers."
        )
    if inputs.gate is not None and NOT_SKIN not in matched.truth.diagnoses:
        found.append(
            f"No image scored is {NOT_SKIN}: of the gate only its refusals show, and both stages have no section."
        )
    if inputs.masks is not None and inputs.masks.prompt != "auto":
        found.append(
            "The masks were prompted with the true mask. Do not read their scores as those of a program alone."
        )
    return tuple(found)


def header_of(request: Request, inputs: Inputs, settings: Settings) -> dict[str, object]:
    """What was scored and how, for programs."""
    matched, truth = inputs.matched, inputs.matched.truth
    return {
        "manifest": request.manifest.name,
        "manifest_sha256": matched.manifest_sha256,
        "split": matched.split,
        "split_hash": matched.split_hash,
        "sources": dict(Counter(truth.sources)),
        "n": len(truth.image_ids),
        "groups": len(set(truth.groups)),
        "unanswered": matched.unanswered,
        "left_out": matched.left_out,
        "model": matched.predictions.bundle,
        "prompt": inputs.masks.prompt if inputs.masks else None,
        "positive": request.positive or matched.predictions.definition or None,
        "questions": {task.key: task.title for task in inputs.binary}
        | {task.key: task.title for task in inputs.classes},
        "validation": None if inputs.validation is None else inputs.validation.split_hash,
        "gate": None
        if request.gate is None or inputs.gate is None
        else {"table": request.gate.name, "threshold": inputs.gate.value, "threshold_source": inputs.gate.source},
        "resamples": settings.resamples,
        "seed": settings.seed,
        "command": request.command,
        "version": __version__,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
