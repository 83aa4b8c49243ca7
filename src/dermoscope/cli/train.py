"""`dermoscope train`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail
from dermoscope.cli.training_order import Order, UsageError

if TYPE_CHECKING:
    from dermoscope.cli.evaluations import OnStep
    from dermoscope.training.head_metrics import HeadEpoch
    from dermoscope.training.head_run import TrainedHead
    from dermoscope.training.recipes import AnyRecipe, CAMRecipe, MaskRecipe, Recipe, TwoLooksRecipe

Switch = Annotated[bool, Parameter(show_default=False)]
Several = Annotated[tuple[str, ...], Parameter(show_default=False)]

_FINGERPRINT = re.compile(r"[0-9a-f]{16}")


def train(
    recipe: str,
    /,
    *,
    manifest: Path,
    out: Path,
    store: str | None = None,
    encoder: str | None = None,
    weights: Path | None = None,
    cache: Path | None = None,
    start: Path | None = None,
    masks: Path | None = None,
    member: Annotated[tuple[Path, ...], Parameter(show_default=False)] = (),
    variant: Several = (),
    set_: Annotated[tuple[str, ...], Parameter(name="--set", show_default=False)] = (),
    allow_leaks: str | None = None,
    prints: Path | None = None,
    resume: Switch = False,
    resamples: int = 1000,
    jobs: int = 2,
    quiet: Switch = False,
) -> int:
    """Train a head on stored features, a mask decoder, or a network that looks at the lesion. No medical device.

    Learns from the split train and chooses on the split val of the manifest. For example, the lesion groups of the TU
    Graz thesis, once with the settings of its code and once with those of its document:

    dermoscope train graz-group --manifest manifest.csv --store features --encoder sam2 --out runs/group

    dermoscope train graz-group --variant document --manifest manifest.csv --store features --encoder sam2 --out runs/2

    And a mask decoder, fine-tuned on one's own masks (the manifest names them in mask_path):

    dermoscope train skinsam-decoder --manifest masks.csv --weights litemedsam.safetensors --out runs/masks

    And a network whose class activation maps are drawn to the lesion, nevus against all else:

    dermoscope train cam-binary --manifest masks.csv --weights efficientnet_lite0.safetensors --out runs/cam

    The same on four graphics cards, or on several machines, as torchrun --help says:

    torchrun --nproc_per_node 4 -m dermoscope train cam-binary --manifest masks.csv --weights net.safetensors --out cam

    And an ensemble of such networks:

    dermoscope train ensemble-binary --member runs/cam --member runs/cam-2 --manifest masks.csv --out runs/ensemble

    Recipes for heads: gate, group, malignancy (ours), graz-gate, graz-group, graz-malignancy (as published); for masks:
    skinsam-decoder, skinsam-lora, skinsam-full, and unet, which needs no SAM; for networks with class activation maps:
    cam-binary, cam-three-class, cam-diagnosis (ours), girona-binary, girona-three-class (as published); for networks
    that look, crop and look again: cam-crop-isic2017; for ensembles: ensemble-binary, ensemble-three-class; or a YAML
    file. Time and memory of a training of images are measured and printed before it starts. Writes recipe.yaml,
    run.json, metrics.jsonl, checkpoints, and what was trained; but for masks also predictions.csv for dermoscope
    evaluate. Training is refused where images of one lesion lie in two splits. After an interruption, the same command
    with --resume goes on and gives the very same numbers.

    Needs the training extra and, for heads, the store: pip install "dermoscope[train,store]".

    Exit codes: 0 all done, 1 failed, 2 wrong usage, 130 interrupted.

    Args:
        recipe: Name of a recipe, or a YAML file.
        manifest: Images with split and diagnosis or mask, as dermoscope data makes it.
        out: Folder of the run.
        store: For heads: where dermoscope embed has put the features, a folder or an object-store address.
        encoder: For heads: folder of the encoder that made them, or its fingerprint.
        weights: For masks and networks: pretrained weights, as dermoscope models fetch or import writes them; a network
            that goes on from a run needs none.
        cache: For masks and networks: folder for embeddings or crops that are computed once; by default one in the
            run, which may be removed afterwards.
        start: An earlier run to go on from; its training images must not lie in val or test of the manifest. For masks:
            one of this recipe, whose model takes the place of the pretrained one. For networks: one of the same
            backbone, whatever it was asked, such as RUN/second of a network that looks twice; all but its last layer
            takes the place of the pretrained weights, and that, too, where the question is the same.
        masks: For networks: results folder of dermoscope segment, whose predicted masks take the place of those in
            mask_path; as --set crops.masks=folder.
        member: For ensembles: run folder of a network, trained on this manifest; give it once for each member.
        variant: A variant that the recipe names; may be given again.
        set_: A change to the recipe, such as optimiser.learning_rate=0.0005 or head.kind=linear; may be given again.
        allow_leaks: Train although splits share lesions or images, for this reason, which the run records.
        prints: File for hashes and small copies of the images, as dermoscope data check keeps it; spares the leak check
            from opening them again.
        resume: Go on with an interrupted run.
        resamples: Of the bootstrap behind the intervals.
        jobs: Images that are read at once.
        quiet: Print nothing but errors.
    """
    from dermoscope.batch.errors import OutputError
    from dermoscope.features.errors import FeatureError, StoreError
    from dermoscope.training.recipes import CAMRecipe, EnsembleRecipe, MaskRecipe, TwoLooksRecipe

    if resamples < 1 or jobs < 1:
        return fail("--resamples and --jobs: must be at least 1", ExitCode.USAGE)
    try:
        chosen = _chosen(recipe, variant, set_, out, resume=resume)
        if masks is not None and isinstance(chosen, CAMRecipe | TwoLooksRecipe):
            set_ = _with_masks_of_a_folder(chosen, set_)
            chosen = _chosen(recipe, variant, set_, out, resume=resume)
        _check_processes(chosen)
        order = Order(recipe, manifest, out, variant, set_, allow_leaks, prints, resamples, jobs)
        if isinstance(chosen, EnsembleRecipe):
            from dermoscope.cli.train_ensemble import order_ensemble

            given = {"--store": store, "--encoder": encoder, "--weights": weights, "--cache": cache, "--start": start}
            _refuse({**given, "--masks": masks}, "is not for ensembles")
            order_ensemble(order, chosen, member, quiet=quiet)
            return ExitCode.DONE
        _refuse({"--member": member or None}, "is for ensembles")
        if isinstance(chosen, MaskRecipe | CAMRecipe | TwoLooksRecipe):
            _refuse({"--store": store, "--encoder": encoder}, "is for recipes of heads")
            if weights is None and start is None:
                raise _without_weights(_network_of(chosen))
            from dermoscope.training.large_buffers import keep_large_buffers

            keep_large_buffers()
            cache = cache or out / "cache"
            if isinstance(chosen, MaskRecipe):
                from dermoscope.cli.train_masks import order_masks

                _refuse({"--masks": masks}, "is for networks with class activation maps")
                if weights is None:
                    raise _without_weights(_network_of(chosen))
                order_masks(order, chosen, weights, cache, start, quiet=quiet)
                return ExitCode.DONE
            if isinstance(chosen, CAMRecipe):
                from dermoscope.cli.train_cams import order_network

                order_network(order, chosen, weights, cache, masks, start, quiet=quiet)
            else:
                from dermoscope.cli.train_looks import order_looks

                order_looks(order, chosen, weights, cache, masks, start, quiet=quiet)
            return ExitCode.DONE
        _refuse({"--weights": weights, "--cache": cache, "--start": start}, "is for recipes of masks and networks")
        _refuse({"--masks": masks}, "is for networks with class activation maps")
        if store is None or encoder is None:
            raise UsageError(f"--{'encoder' if store else 'store'}: needed for the recipe of a head; see --help")
        trained = _train(order, chosen, store, encoder, quiet=quiet)
    except UsageError as error:
        return fail(str(error), ExitCode.USAGE)
    except ModuleNotFoundError as error:
        return fail(f'{error.name} is not installed; run: pip install "dermoscope[train,store]"')
    except KeyboardInterrupt:
        return fail("interrupted; the same command with --resume goes on", ExitCode.INTERRUPTED)
    except OSError as error:
        return fail(f"{error.filename or manifest}: {error.strerror}" if error.strerror else str(error))
    except (ValueError, FeatureError, StoreError, OutputError) as error:
        return fail(str(error))
    if not quiet:
        _print(trained, order, chosen)
    return ExitCode.DONE


def _refuse(given: Mapping[str, object], why: str) -> None:
    for name, value in given.items():
        if value is not None:
            raise UsageError(f"{name}: {why}; leave it out")


def _check_processes(chosen: AnyRecipe) -> None:
    """Only networks are trained by several processes; of anything else, all would write the same files."""
    from dermoscope.training.recipes import CAMRecipe

    if int(os.environ.get("WORLD_SIZE", "1")) > 1 and not isinstance(chosen, CAMRecipe):
        raise UsageError(f"{chosen.name}: is trained in one process; start it without torchrun")


def _with_masks_of_a_folder(recipe: CAMRecipe | TwoLooksRecipe, changes: tuple[str, ...]) -> tuple[str, ...]:
    """Changes with the one that `--masks` stands for."""
    from dermoscope.training.recipes import TwoLooksRecipe

    key, network = (
        ("first.crops.masks", recipe.first) if isinstance(recipe, TwoLooksRecipe) else ("crops.masks", recipe)
    )
    if network.crops.masks == "folder":
        return changes
    if any(change.startswith(f"{key}=") for change in changes):
        raise UsageError(f"--masks: {key} is {network.crops.masks}; leave one of the two out")
    return (*changes, f"{key}=folder")


def _network_of(recipe: MaskRecipe | CAMRecipe | TwoLooksRecipe) -> str:
    """Name of the network that weights are for."""
    from dermoscope.training.recipes import MaskRecipe, TwoLooksRecipe

    if isinstance(recipe, MaskRecipe):
        return recipe.model.encoder
    return (recipe.first if isinstance(recipe, TwoLooksRecipe) else recipe).model.backbone


def _without_weights(network: str) -> UsageError:
    from dermoscope.encoders.registry import ENCODERS

    known = ENCODERS.get(network)
    way = f"this brings them: {known.command}" if known else "a .safetensors file with the names that timm gives them"
    return UsageError(f"--weights: name the pretrained weights of {network}; {way}")


def _chosen(name: str, variants: tuple[str, ...], changes: tuple[str, ...], out: Path, *, resume: bool) -> AnyRecipe:
    """The recipe with its changes, if the run folder is new or holds a run of that very recipe to go on with."""
    from dermoscope.training.recipes import RECIPE_NAME, RecipeError, load_recipe, recipe_text

    try:
        recipe = load_recipe(name, variants=variants, changes=changes)
    except RecipeError as error:
        raise UsageError(str(error)) from None
    # The recipe is written once there is something to learn from: what failed before that may simply begin again.
    kept = out / RECIPE_NAME
    begun = kept.exists()
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out: {out} is a file; choose another")
    if resume and not begun:
        raise UsageError(f"--resume: there is no run in {out}; leave --resume out to begin one")
    if begun and not resume:
        raise UsageError(f"--out: {out} holds a run; go on with it by --resume, or choose another")
    if resume and kept.read_text(encoding="utf-8") != recipe_text(recipe):
        raise UsageError(
            f"--resume: {kept} has other settings; give the same recipe, --variant and --set, or begin in another --out"
        )
    return recipe


def _train(order: Order, recipe: Recipe, store: str, encoder: str, *, quiet: bool) -> TrainedHead:
    from dermoscope.cli.evaluations import steps
    from dermoscope.encoders.folder import EncoderFolder
    from dermoscope.features.store import FeatureStore
    from dermoscope.training.head_run import train_head

    folder = Path(encoder)
    is_fingerprint = _FINGERPRINT.fullmatch(encoder) and not folder.exists()
    fingerprint = encoder if is_fingerprint else EncoderFolder.load(folder).description.fingerprint
    records = order.records(needs=())
    features = FeatureStore.open(store, fingerprint)
    source: list[str | Path] = ["--store", store if "://" in store else Path(store), "--encoder", folder]
    with steps(quiet=quiet) as on_step:
        on_step("looking for leaks between splits", 0, 0)
        with order.begin(records, recipe.seeds, source) as run:
            return train_head(
                recipe,
                records,
                features,
                fingerprint,
                run,
                order.out,
                on_epoch=_Epochs(recipe, on_step),
                on_step=lambda what: on_step(what, 0, 0),
                resamples=order.resamples,
            )


class _Epochs:
    """Shows how the epochs go."""

    def __init__(self, recipe: Recipe, on_step: OnStep) -> None:
        self._seeds, self._each, self._on_step = recipe.seeds, recipe.stopping.epochs, on_step

    def __call__(self, line: HeadEpoch) -> None:
        assert line.seed is not None  # only the line of the finished head is of no seed and epoch
        assert line.epoch is not None
        shown = f"{line.metrics['accuracy']:.3f} accuracy, {line.metrics['balanced accuracy']:.3f} balanced"
        done = self._seeds.index(line.seed) * self._each + line.epoch
        self._on_step(f"seed {line.seed}, epoch {line.epoch}: {shown}", done, self._each * len(self._seeds))


def _print(trained: TrainedHead, order: Order, recipe: Recipe) -> None:
    from rich.console import Console
    from rich.text import Text

    from dermoscope.cli.progress import duration
    from dermoscope.cli.training_scores import print_scores
    from dermoscope.images import printable

    console = Console(highlight=False, soft_wrap=True)
    samples = ", ".join(f"{name} {count:,}" for name, count in trained.samples.items())
    epochs = f", {len(trained.epochs)} epochs" if trained.epochs else ""
    console.print(f"{recipe.name}: learnt from {samples}{epochs}, in {duration(trained.seconds)}")
    print_scores(console, trained.scores, trained.recalls)
    description = trained.head.description
    absent = [name for name in description.classes if name not in trained.samples]
    if absent:
        console.print(f"No training images, so never answered: {', '.join(absent)}", style="yellow")
    console.print(Text(f"\nThe run: {printable(order.out)}", style="bold"))
    console.print(
        Text(
            f"Score its test images: dermoscope evaluate {printable(order.out)} --manifest "
            f"{printable(order.manifest)} --out {printable(order.out)}/test"
        )
    )
    console.print(RESEARCH_USE, style="dim")
