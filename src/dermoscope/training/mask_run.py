"""One training of one model for lesion masks, from a manifest to a run folder with everything in it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import safetensors.torch
from torch import Tensor

from dermoscope.batch.files import replace_file, writing_to
from dermoscope.data.manifest import Record
from dermoscope.encoders.folder import EncoderFolder, EncoderFolderError
from dermoscope.encoders.inputs import InputContract
from dermoscope.encoders.registry import EncoderSpec
from dermoscope.encoders.shapes import HieraShape
from dermoscope.encoders.weights import weights_sha256
from dermoscope.evaluation.masks import MaskSummary
from dermoscope.files import sha256_of
from dermoscope.segment.confidence import fit_expected_overlap
from dermoscope.segment.lora import merge_low_rank
from dermoscope.segment.mask_decoder import EMBEDDING_CHANNELS
from dermoscope.training.announcements import Announcements
from dermoscope.training.embedding_cache import EmbeddingCache
from dermoscope.training.encoder_export import export_encoder
from dermoscope.training.head_trainer import TrainingError
from dermoscope.training.mask_data import CachedData, ImageData, MaskData
from dermoscope.training.mask_forecast import forecast
from dermoscope.training.mask_images import images_fingerprint
from dermoscope.training.mask_model_file import (
    DESCRIPTION_NAME,
    MODEL_NAME,
    MaskModelDescription,
    MaskRunError,
    load_mask_run,
)
from dermoscope.training.mask_models import UNetModel, build_model, model_contract
from dermoscope.training.mask_scores import AUTO, judge, summarised
from dermoscope.training.mask_trainer import MaskTrainer
from dermoscope.training.recipes import RECIPE_NAME, recipe_text
from dermoscope.training.recipes.augmentation import NO_AUGMENTATION
from dermoscope.training.recipes.masks import MaskRecipe, SAMPart
from dermoscope.training.run_folder import EpochMetrics, RunFolder
from dermoscope.training.starts import check_same_start, images_learnt, keep_start

CHECKPOINT_NAME = "checkpoint.safetensors"
SPLITS = ("train", "val")


@dataclass(frozen=True)
class TrainedMasks:
    """What came out of a training.

    Attributes:
        description: What the model is.
        epochs: Every epoch.
        images: Images that were learnt from.
        scores: Of the validation images at their own size, by prompt source and metric, with intervals by lesion.
        seconds: Time of the training alone.
    """

    description: MaskModelDescription
    epochs: tuple[EpochMetrics, ...]
    images: int
    scores: dict[str, dict[str, MaskSummary]]
    seconds: float


def train_masks(
    recipe: MaskRecipe,
    records: Sequence[Record],
    weights: Path,
    cache: Path,
    run: RunFolder,
    folder: Path,
    *,
    announce: Announcements | None = None,
    start: Path | None = None,
    threads: int = 2,
    resamples: int = 1000,
) -> TrainedMasks:
    """Train, score and write; a checkpoint that lies in the folder is gone on from.

    Writes `recipe.yaml`, `checkpoint.safetensors`, `model.safetensors` with `model.json`, beside the lines of
    `metrics.jsonl`.

    Args:
        recipe: What to do.
        records: The manifest, with splits and masks.
        weights: Pretrained weights, as `build_model` takes them.
        cache: Folder for what is computed once; it may be removed afterwards.
        run: The run folder, begun; the caller leaves its context.
        folder: Where that is.
        announce: What to call on the way.
        start: Run folder of a model of the same make to go on from; the weights are then only its encoder's, where
            that is not trained.
        threads: Images read and embedded at once.
        resamples: Of the bootstrap.

    Raises:
        TrainingError: If there is nothing to learn from or to choose on, or the loss is no longer finite.
        WeightsError: If the weights cannot be used.
        MaskRunError: If the run to go on from is not finished, or of a model of another make.
        CacheError: If the cache is of another training.
        CheckpointError: If the checkpoint is.
        ImageError: If an image or a mask cannot be read.
        ValueError: If a mask has another size than its image, or the recipe names what cannot be.
        OutputError: If a folder cannot be written.
    """
    announce = announce or Announcements()
    spec, contract = model_contract(recipe)
    train, validation = (_of(records, split) for split in SPLITS)
    begun = _started(start, recipe, spec, contract, weights) if start else None
    try:
        model, groups = build_model(recipe, weights, begun.state if begun else None)
    except RuntimeError:
        raise MaskRunError(f"--start {start} trained another model than this recipe") from None
    check_same_start(folder, begun.sha256 if begun else "")
    side = mask_side(recipe, contract)
    data = _data(recipe, spec, contract, weights, cache, (train, validation), side, announce, threads)
    # Written once there is something to learn from: what failed before that may simply begin again.
    replace_file(folder / RECIPE_NAME, recipe_text(recipe).encode())
    keep_start(folder, begun.sha256 if begun else "")

    def note(line: EpochMetrics) -> None:
        run.add_metrics(line)
        announce.on_epoch(line)

    trainer = MaskTrainer(
        recipe,
        model,
        groups,
        scale=contract.size / side,
        checkpoint=folder / CHECKPOINT_NAME,
        on_epoch=note,
        on_step=announce.on_step,
    )
    announce.on_stage("trying a few steps")
    cells = (EMBEDDING_CHANNELS, contract.map_size, contract.map_size)
    shape = cells if isinstance(data[0], CachedData) else (3, contract.size, contract.size)
    announce.on_forecast(forecast(recipe, trainer, data[0], shape))
    for split, part in zip(SPLITS, data, strict=True):
        if isinstance(part, CachedData):
            announce.on_stage(f"embedding the images of {split}")
            part.cache.fill(threads=threads, on_progress=announce.on_kept)
    announce.on_stage("training")
    began = time.perf_counter()
    prints = [*map(images_fingerprint, (train, validation)), begun.sha256 if begun else ""]
    epochs = trainer.fit(*data, inputs="\n".join(prints))
    seconds = time.perf_counter() - began
    announce.on_stage("scoring the validation images")
    judged = list(judge(model, data[1], validation, contract, seed=recipe.seed))
    scores = {
        source: summarised([one.scores[source] for one in judged], validation, resamples) for source in judged[0].scores
    }
    # Confidence is said of masks; an empty answer has none, right or wrong.
    masks = [(one.confidence, one.scores[AUTO].dice) for one in judged if one.confidence]
    slope, intercept = fit_expected_overlap(*zip(*masks, strict=True)) if masks else (1.0, 0.0)
    description = MaskModelDescription(
        recipe=recipe.name,
        kind=recipe.model.kind,
        trained=recipe.model.trained if isinstance(recipe.model, SAMPart) else "everything",
        encoder=spec.name,
        contract=contract,
        weights_sha256=weights_sha256(weights),
        confidence_slope=slope,
        confidence_intercept=intercept,
        licence=spec.licence,
        images=images_learnt(train, begun.description.images if begun else {}),
        start_sha256=begun.sha256 if begun else "",
    )
    if not isinstance(model, UNetModel) and model.encoder is not None:
        merge_low_rank(model.encoder)
    state = {name: tensor.contiguous() for name, tensor in model.state_dict().items()}
    replace_file(folder / MODEL_NAME, safetensors.torch.save(state))
    replace_file(folder / DESCRIPTION_NAME, f"{description.model_dump_json(indent=2)}\n".encode())
    final = {
        f"{metric}, prompt: {source}": summary.estimate.value
        for source, found in scores.items()
        for metric, summary in found.items()
    }
    run.complete({recipe.name: {**final, "seconds of training": round(seconds, 3)}})
    return TrainedMasks(description, epochs, len(train), scores, seconds)


def mask_side(recipe: MaskRecipe, contract: InputContract) -> int:
    """Cells along one side of the mask that a recipe's model answers with."""
    return 4 * contract.map_size if isinstance(recipe.model, SAMPart) else contract.size // 2


@dataclass(frozen=True)
class _Start:
    """The run that a training goes on from."""

    description: MaskModelDescription
    state: dict[str, Tensor]
    sha256: str


def _started(run: Path, recipe: MaskRecipe, spec: EncoderSpec, contract: InputContract, weights: Path) -> _Start:
    """Read the run, if its model is one of this recipe."""
    description, state = load_mask_run(run)
    trained = recipe.model.trained if isinstance(recipe.model, SAMPart) else "everything"
    for setting, theirs, ours in (
        ("model.kind", description.kind, recipe.model.kind),
        ("model.trained", description.trained, trained),
        ("model.encoder", description.encoder, spec.name),
        ("model.size", description.contract.size, contract.size),
        ("model.fit", description.contract.fit, contract.fit),
    ):
        if theirs != ours:
            raise MaskRunError(f"--start {run}: its {setting} is {theirs}, that of this recipe {ours}; --set the same")
    if trained == "decoder" and description.weights_sha256 != weights_sha256(weights):
        raise MaskRunError(f"--start {run}: its decoder was trained on other weights of {spec.name}; name those")
    return _Start(description, state, sha256_of(run / MODEL_NAME))


def _of(records: Sequence[Record], split: str) -> list[Record]:
    chosen = [record for record in records if record.split == split and record.mask_path is not None]
    if not chosen:
        raise TrainingError(
            f"the manifest has no image with a mask in the split {split}; dermoscope data split makes it"
        )
    return chosen


def _data(
    recipe: MaskRecipe,
    spec: EncoderSpec,
    contract: InputContract,
    weights: Path,
    cache: Path,
    records: tuple[list[Record], list[Record]],
    side: int,
    announce: Announcements,
    threads: int,
) -> tuple[MaskData, MaskData]:
    """Training and validation images for the model: embeddings where the encoder stays as it is, else pictures."""
    copies = {"train": recipe.copies, "val": 1}
    if not _keeps_embeddings(recipe, spec):
        train, validation = (
            ImageData(
                part,
                contract,
                side,
                recipe.augmentation if split == "train" else NO_AUGMENTATION,
                copies=copies[split],
                seed=recipe.seed,
                threads=threads,
            )
            for split, part in zip(SPLITS, records, strict=True)
        )
        return train, validation
    announce.on_stage("exporting the encoder")
    encoder = _exported(spec, contract, weights, cache / "encoder")
    kept = [
        EmbeddingCache(cache / split, encoder, part, recipe.augmentation, copies=copies[split], seed=recipe.seed)
        for split, part in zip(SPLITS, records, strict=True)
    ]
    return CachedData(kept[0]), CachedData(kept[1])


def _keeps_embeddings(recipe: MaskRecipe, spec: EncoderSpec) -> bool:
    """Whether embeddings are all that the model needs: SAM 2's decoder takes finer maps too, too large to be kept."""
    part = recipe.model
    return isinstance(part, SAMPart) and part.trained == "decoder" and not isinstance(spec.shape, HieraShape)


def _exported(spec: EncoderSpec, contract: InputContract, weights: Path, folder: Path) -> EncoderFolder:
    """The encoder as a graph, made unless it is there already."""
    try:
        found = EncoderFolder.load(folder)
        same = (found.description.contract, found.description.weights_sha256) == (contract, weights_sha256(weights))
        if same:
            return found
    except EncoderFolderError:
        pass
    with writing_to(folder):
        folder.mkdir(parents=True, exist_ok=True)
    return EncoderFolder.load(export_encoder(spec, weights, contract, folder))
