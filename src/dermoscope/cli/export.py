"""`dermoscope export`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from cyclopts import Parameter

from dermoscope.cli.exits import RESEARCH_USE, ExitCode, fail

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from dermoscope.bundle import Bundle
    from dermoscope.training.mode_bundle import ModePlan


def export(
    run: Path,
    /,
    *,
    out: Path,
    bundle: Path | None = None,
    images: Annotated[tuple[str, ...], Parameter(show_default=False)] = (),
    name: str = "",
    mode: str | None = None,
    manifest: Path | None = None,
    meaning: str = "",
    views: Annotated[
        tuple[Literal["tight", "middle", "full", "whole", "look"], ...], Parameter(show_default=False)
    ] = (),
    orientations: Literal[1, 2, 4] = 1,
    look_threshold: Annotated[float | None, Parameter(show_default=False)] = None,
    eight_bits: Annotated[bool, Parameter(show_default=False)] = False,
    no_heads: Annotated[bool, Parameter(show_default=False)] = False,
    first: Annotated[bool, Parameter(show_default=False)] = False,
    jobs: int = 2,
) -> int:
    """Make what a training run has learnt usable without torch. Research use only, not a medical device.

    A run for masks goes into a bundle. The new bundle has what the run trained and all else of the other bundle, and is
    used like that one: a decoder takes the place of the other's decoder and mask network; a U-Net becomes the mask
    network, which draws the masks that nobody gives a prompt for. For example:

    dermoscope export runs/masks --out my-bundle

    dermoscope analyze photos --bundle my-bundle --out results

    A network with class activation maps, or an ensemble of them, becomes a folder of its own, which
    dermoscope.load_classifier reads:

    dermoscope export runs/ensemble --out my-classifier

    Networks for the seven diagnoses (cam-diagnosis, or an ensemble of such) can also become a mode of a bundle, which
    answers all questions about a lesion, together with the heads. The rule that makes one answer of all, its
    calibration, operating points and prediction sets are fitted on the split val of a manifest:

    dermoscope export runs/diagnosis --mode best --manifest to-train.csv --out my-bundle

    dermoscope analyze photos --bundle my-bundle --mode best --out results

    Needs the training extra: pip install "dermoscope[train]".

    Exit codes: 0 all done, 1 failed, 2 wrong usage.

    Args:
        run: Folder of a run of unet, skinsam-decoder, or another recipe for masks that leaves the encoder as it is; or
            of a network with class activation maps, or an ensemble.
        out: Folder of the new bundle or classifier; it must not exist.
        bundle: For masks: the other bundle; by default the one that comes with the package.
        images: An image to compare the exported graph with torch on; may be given again.
        name: Of the new bundle or classifier; by default that of the other one with the name of the recipe, or that of
            the run's folder.
        mode: Put the networks into the bundle, as a mode of this name.
        manifest: For a mode: the images; those of the split val are fitted on.
        meaning: For a mode: what it is for, in words.
        views: For a mode: what every network sees (tight, middle, full, whole); may be given again; by default as it
            was trained. After full or whole, look may come last: the square that the network's own class activation map
            cuts out of the first of these.
        orientations: For a mode: how many ways round every network sees each view: 1 as it is, 2 also mirrored top to
            bottom, 4 both also mirrored left to right.
        look_threshold: For the view look: the map counts from this share of its maximum on; 0.4 if left out,
            as the square of the published 0.2 is mostly the whole view.
        eight_bits: For a mode: store the networks' weights as eight-bit integers, in half of the space. They compute as
            before, with weights that are rounded a little more; the mode is fitted to what they answer so.
        no_heads: For a mode: leave the answers of the heads out.
        first: For a mode: let it answer where nobody names a mode.
        jobs: For a mode: images looked at at once.
    """
    from dermoscope.batch.errors import OutputError
    from dermoscope.bundle import Bundle
    from dermoscope.engine import EngineError
    from dermoscope.model_folder import BundleError

    if out.exists():
        return fail(f"--out: {out} is there already; choose another", ExitCode.USAGE)
    try:
        from dermoscope.camnet.second_look import LookRules
        from dermoscope.training.cam_export import export_classifier, member_runs
        from dermoscope.training.mask_bundle import bundle_with_masks
        from dermoscope.training.mode_bundle import MODE_LOOK, ModePlan

        learns = _learns(run)
        if mode is not None:
            if learns != "a classifier" or manifest is None:
                return fail("--mode: is for runs of networks, and needs --manifest", ExitCode.USAGE)
            if wrong := _wrong_look(views, look_threshold):
                return fail(wrong, ExitCode.USAGE)
            plan = ModePlan(
                mode,
                meaning or f"networks of {run.resolve().name}",
                member_runs(run),
                views,
                not no_heads,
                orientations,
                MODE_LOOK if look_threshold is None else LookRules(threshold=look_threshold),
                "int8" if eight_bits else "float16",
            )
            base = Bundle.load(bundle) if bundle else Bundle.default()
            return _export_mode(plan, base, out, manifest, images, first=first, jobs=jobs)
        for_modes = {
            "--manifest": manifest,
            "--meaning": meaning,
            "--views": views,
            "--orientations": orientations > 1,
            "--look-threshold": look_threshold is not None,
            "--eight-bits": eight_bits,
            "--no-heads": no_heads,
            "--first": first,
        }
        if given := [option for option, value in for_modes.items() if value]:
            return fail(f"{', '.join(given)}: only with --mode", ExitCode.USAGE)
        if learns == "a head":
            return fail(f"{run} is the run of a head; export takes runs for masks, of networks and of ensembles")
        if learns == "a classifier":
            if bundle:
                return fail("--bundle: is for runs for masks; leave it out", ExitCode.USAGE)
            classifier = export_classifier(run, out, images=_decoded(images), name=name)
            print(f"{out}: {classifier.description.name}, fingerprint {classifier.fingerprint}")
            print(f'Use it: dermoscope.load_classifier("{out}") in Python')
            print(RESEARCH_USE)
            return ExitCode.DONE
        base = Bundle.load(bundle) if bundle else Bundle.default()
        made = bundle_with_masks(run, base, out, images=_decoded(images), name=name)
    except ModuleNotFoundError as error:
        return fail(f'{error.name} is not installed; run: pip install "dermoscope[train]"')
    except (BundleError, EngineError, OutputError, ValueError) as error:
        return fail(str(error))
    print(f"{out}: {made.name}, fingerprint {made.fingerprint}")
    if made.description.modes:
        modes = ", ".join(made.description.modes)
        print(
            f"Its modes ({modes}) were fitted on other outlines than it draws now; to fit one anew, with the views and "
            f"orientations it had: dermoscope export NETWORKS --bundle {out} --mode NAME --manifest TABLE --out ANOTHER"
        )
    print(f"Use it: dermoscope analyze PHOTOS --bundle {out} --out results")
    print(RESEARCH_USE)
    return ExitCode.DONE


def _wrong_look(views: Sequence[str], threshold: float | None) -> str:
    """What is wrong with a second look as asked for; empty if nothing is."""
    from dermoscope.camnet.lesion_views import WHOLE_IMAGE

    if "look" not in views:
        return "--look-threshold: is for the view look (--views)" if threshold is not None else ""
    if views[-1] != "look" or views.count("look") > 1 or not WHOLE_IMAGE & set(views):
        return "--views: look comes last, after full or whole, whose map tells where to look"
    if threshold is not None and not 0 < threshold < 1:
        return f"--look-threshold: {threshold} is not between 0 and 1"
    return ""


def _export_mode(
    plan: ModePlan, base: Bundle, out: Path, manifest: Path, images: Sequence[str], *, first: bool, jobs: int
) -> ExitCode:
    from dermoscope.cli.evaluations import steps
    from dermoscope.data.manifest import check_manifest, read_manifest
    from dermoscope.training.mode_bundle import bundle_with_mode

    check_manifest(manifest, needs=("diagnosis", "split"), files=False)
    with steps(quiet=False) as on_step:
        made, fitted = bundle_with_mode(
            plan,
            base,
            out,
            list(read_manifest(manifest)),
            images=_decoded(images),
            first=first,
            jobs=jobs,
            on_image=lambda done, all_: on_step("asking everyone about the validation images", done, all_),
        )
    part = fitted.part
    print(f"{out}: {made.name}, fingerprint {made.fingerprint}")
    losses = ", ".join(f"{rule} {loss:.3f}" for rule, loss in fitted.log_losses.items())
    print(f"mode {plan.name}: {', '.join(part.fusion.members)} by the rule {part.fusion.rule}")
    print(f"log loss on validation images, by folds: {losses}")
    print(f"flags malignancy from {part.malignancy_point.threshold:.4f} on: {part.malignancy_point.meaning}")
    print(f"Use it: dermoscope analyze PHOTOS --bundle {out} --mode {plan.name} --out results")
    print(RESEARCH_USE)
    return ExitCode.DONE


def _learns(run: Path) -> Literal["a head", "masks", "a classifier"]:
    """What a run is of, finished or not: as its recipe says, or where that cannot be read, its files."""
    from dermoscope.training.cam_export import is_classifier_run
    from dermoscope.training.recipes import RECIPE_NAME, MaskRecipe, Recipe, RecipeError, load_recipe

    try:
        recipe = load_recipe(str(run / RECIPE_NAME))
    except RecipeError:
        return "a classifier" if is_classifier_run(run) else "masks"
    if isinstance(recipe, Recipe):
        return "a head"
    return "masks" if isinstance(recipe, MaskRecipe) else "a classifier"


def _decoded(images: Sequence[str]) -> list[NDArray[np.uint8]]:
    from dermoscope.images import decode

    return [decode(Path(image)).rgb for image in images]
