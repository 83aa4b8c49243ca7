"""From files to a run folder: read, check, score, write, and only then put it in its place."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

from dermoscope.evaluation.gate import GateThreshold, apply_gate, choose_threshold
from dermoscope.evaluation.mask_files import score_mask_files
from dermoscope.evaluation.predictions import read_predictions
from dermoscope.evaluation.problems import InputError, Problem, Problems
from dermoscope.evaluation.report.answers_part import answers_part
from dermoscope.evaluation.report.binary import binary_part
from dermoscope.evaluation.report.classes import class_part
from dermoscope.evaluation.report.document import Tile
from dermoscope.evaluation.report.facts import Inputs, Request, facts_of, header_of, left_out_of, warnings_of, where
from dermoscope.evaluation.report.features_part import features_part
from dermoscope.evaluation.report.looks_part import looks_part
from dermoscope.evaluation.report.maps_part import maps_part
from dermoscope.evaluation.report.mask_part import mask_part
from dermoscope.evaluation.report.official_part import official_part
from dermoscope.evaluation.report.output import NOTICE, check_free, draw_figures, new_folder, write_json, write_tables
from dermoscope.evaluation.report.page import write_page
from dermoscope.evaluation.report.parts import Part, Settings
from dermoscope.evaluation.report.saved import FILE_NAME, write_saved
from dermoscope.evaluation.report.subgroup_part import estimated_skin_tones, subgroup_part
from dermoscope.evaluation.report.training_part import training_part
from dermoscope.evaluation.report.two_stage_part import two_stage_part
from dermoscope.evaluation.tasks import BinaryTask, ClassTask, binary_tasks, class_tasks
from dermoscope.evaluation.training_run import read_training_run
from dermoscope.evaluation.truth import Matched, TruthTable, match, read_truth

SCHEMA_VERSION = 1
"""Of `metrics.json`."""


@dataclass(frozen=True)
class Run:
    """What was written.

    Attributes:
        out: The run folder.
        images: Images scored.
        unanswered: Images of the split that could not be analysed.
        left_out: How many images have no answer to the question of the run, in a sentence; empty where all have one.
        tiles: The numbers of the summary.
    """

    out: Path
    images: int
    unanswered: int
    left_out: str
    tiles: tuple[Tile, ...]


def evaluate(request: Request, settings: Settings | None = None) -> Run:
    """Score predictions and write `metrics.json`, `predictions.csv`, `tables.md`, `tables.tex`, figures and a report.

    Args:
        request: What to evaluate.
        settings: How numbers are made.

    Raises:
        InputError: If anything is wrong with the inputs; all problems are listed, and nothing is written.
        OutputExistsError: If the output folder is taken.
    """
    settings = settings or Settings()
    check_free(request.out, overwrite=request.overwrite, record="metrics.json")
    inputs = _read(request, settings)
    parts = _parts(request, inputs, settings)
    facts = facts_of(request, inputs, settings)
    tiles = tuple(tile for part in parts for tile in part.tiles)
    with new_folder(request.out) as folder:
        sections = draw_figures([part.section for part in parts], folder)
        metrics = {
            "schema_version": SCHEMA_VERSION,
            "kind": "dermoscope evaluation",
            "notice": NOTICE,
            "header": header_of(request, inputs, settings),
            **{part.key: part.numbers for part in parts},
        }
        write_json(folder / "metrics.json", metrics)
        write_saved(folder / FILE_NAME, inputs.matched.truth, inputs.binary, inputs.classes, inputs.masks)
        title = f"Evaluation: {where(inputs.matched)}"
        write_tables(folder, title, facts, sections)
        write_page(folder, title, facts, tiles, sections, warnings=warnings_of(inputs))
    images, unanswered = len(inputs.matched.truth.image_ids), inputs.matched.unanswered
    return Run(request.out, images, unanswered, left_out_of(inputs), tiles)


def _read(request: Request, settings: Settings) -> Inputs:
    settings.on_progress("Reading predictions", 0, 1)
    training = read_training_run(request.results)
    if request.store is not None and training is None:
        reason = "is no run folder of dermoscope train; only of such a run --store can map the features"
        raise InputError((Problem(request.results, reason),), 1)
    results = training.predictions if training else request.results
    predictions = read_predictions(results, independent_scores=request.independent_scores)
    table = read_truth(request.manifest)
    answered = training.answered if training else None
    matched = match(predictions, table, split=request.split, sources=request.sources, answered=answered)
    validation = None
    held_out = request.validation
    if training and held_out is None and request.split != request.validation_split:
        held_out = results
    if held_out is not None:
        given = read_predictions(held_out, independent_scores=request.independent_scores)
        split = request.validation_split
        validation = match(given, table, split=split, sources=request.sources, answered=answered)
        _check_validation(matched, validation)
    matched, gate = _gated(request, matched, table)
    problems = Problems()
    prompt = request.prompt or ("auto" if predictions.is_ours and request.masks is None else "")
    if not prompt and (request.masks is not None or any(predictions.masks or ())):
        problems.add(request.masks or predictions.path, "say with --prompt where the prompts of the masks came from")
    masks = score_mask_files(matched, request.masks, prompt, problems, settings.tick("Masks"))
    problems.check()
    inputs = Inputs(
        matched, class_tasks(matched), binary_tasks(matched, request.positive), masks, validation, training, gate
    )
    if not (inputs.classes or inputs.binary or inputs.masks):
        if any(matched.truth.diagnoses):
            reason = "no image of the split has a diagnosis that the predictions have a column for"
        else:
            reason = "the column is missing or empty"
        reason = f"nothing to score: {reason}, and no image has both a predicted and a true mask"
        problems.add(request.manifest, reason, 1, "diagnosis")
        problems.check()
    return inputs


def _gated(request: Request, matched: Matched, table: TruthTable) -> tuple[Matched, GateThreshold | None]:
    if request.gate is None:
        return matched, None
    trained = read_training_run(request.gate)
    gate = read_predictions(trained.predictions if trained else request.gate)
    if request.gate_threshold is not None:
        threshold = GateThreshold(request.gate_threshold, "given")
    else:
        chosen_on = None
        if request.validation is not None or (trained and request.split != request.validation_split):
            chosen_on = match(gate, table, split=request.validation_split, sources=request.sources)
        threshold = choose_threshold(chosen_on)
    return replace(matched, predictions=apply_gate(matched.predictions, gate, threshold.value)), threshold


def _check_validation(matched: Matched, validation: Matched) -> None:
    ours, theirs = matched.predictions, validation.predictions
    if (ours.classes, ours.groups) != (theirs.classes, theirs.groups):
        reason = f"has the classes {', '.join(theirs.classes)}; {ours.path} has {', '.join(ours.classes)}"
        raise InputError((Problem(theirs.path, reason, 1),), 1)
    if ours.bundle != theirs.bundle:
        reason = f"comes from model {theirs.bundle or 'unknown'}, {ours.path} from {ours.bundle or 'unknown'}"
        raise InputError((Problem(theirs.path, reason, None, "bundle"),), 1)
    shared = set(matched.truth.image_paths) & set(validation.truth.image_paths)
    if shared:
        reason = f"{len(shared):,} images are validation and scored images at once; choose another --validation-split"
        raise InputError((Problem(theirs.path, reason),), 1)


def _parts(request: Request, inputs: Inputs, settings: Settings) -> list[Part]:
    matched, on = inputs.matched, where(inputs.matched)

    def of(task: ClassTask | BinaryTask) -> str:
        return where(matched, task.images.tolist())

    held_out_classes = {task.key: task for task in class_tasks(inputs.validation)} if inputs.validation else {}
    held_out_binary = (
        {task.key: task for task in binary_tasks(inputs.validation, request.positive)} if inputs.validation else {}
    )
    # Melanoma is asked beside the main question; where there is no other binary one, that is the classes.
    mains = 0 if inputs.classes and [task.key for task in inputs.binary[:1]] == ["melanoma"] else 1
    parts: list[Part | None] = [
        binary_part(task, of(task), settings, held_out_binary.get(task.key)) for task in inputs.binary[:mains]
    ]
    parts += [class_part(task, of(task), settings, held_out_classes.get(task.key)) for task in inputs.classes]
    parts += [
        binary_part(task, of(task), settings, held_out_binary.get(task.key), brief=True)
        for task in inputs.binary[mains:]
    ]
    if inputs.masks is not None:
        parts.append(mask_part(inputs.masks, matched, where(matched, inputs.masks.images.tolist()), settings))
    if inputs.binary and inputs.binary[0].threshold is not None:
        tones = estimated_skin_tones(matched, settings) if request.estimate_skin_tone else None
        parts.append(subgroup_part(inputs.binary[0], matched, of(inputs.binary[0]), settings, tones))
    parts.append(answers_part(matched, inputs.classes, inputs.binary, on, settings))
    parts.append(two_stage_part(matched, inputs.classes, inputs.binary, on, settings, inputs.gate))
    parts.append(official_part(matched, inputs.masks, on, settings))
    if inputs.training:
        asked: tuple[ClassTask | BinaryTask, ...] = (*inputs.classes, *inputs.binary)
        scored = next((part for part in parts if part and asked and part.key == asked[0].key), None)
        parts.append(training_part(inputs.training, scored, on))
        parts.append(looks_part(inputs.training.folder, matched, on, settings))
        parts.append(maps_part(inputs.training.folder, matched, on, settings))
        if request.store is not None and asked:
            parts.append(features_part(inputs.training, request.store, asked[0], matched, of(asked[0]), settings))
    return [part for part in parts if part is not None]
