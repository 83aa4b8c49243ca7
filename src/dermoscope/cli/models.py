"""`dermoscope models`: bring weights in, and check bundles."""

from __future__ import annotations

from pathlib import Path

from cyclopts import App

from dermoscope.cli.exits import ExitCode, fail

models = App(name="models", help="Import pretrained weights; verify model bundles.")


@models.command(name="import")
def import_weights(checkpoint: Path, /, *, encoder: str, out: Path | None = None) -> int:
    """Convert an original SAM checkpoint (.pt, .pth) to safetensors, once.

    The file is read without running any code in it, and refused if it does not fit the encoder. For example:

    dermoscope models import lite_medsam.pth --encoder litemedsam --out weights/litemedsam.safetensors

    Needs the training extra: pip install "dermoscope[train]".

    Args:
        checkpoint: The original file.
        encoder: What it is: litemedsam or mobilesam.
        out: The file to write; by default named after the encoder, in this folder.
    """
    from dermoscope.encoders.registry import ENCODERS, encoder_spec

    if encoder not in ENCODERS:
        return fail(f"--encoder: unknown encoder {encoder!r}; known: {', '.join(ENCODERS)}", ExitCode.USAGE)
    try:
        from dermoscope.training.checkpoints import WeightsError, import_checkpoint
    except ModuleNotFoundError as error:
        return fail(f'{error.name} is not installed; run: pip install "dermoscope[train]"')
    target = out or Path(f"{encoder}.safetensors")
    try:
        notes = import_checkpoint(checkpoint, encoder_spec(encoder), target)
    except WeightsError as error:
        return fail(str(error))
    print(f"{target}: {notes['source']} ({notes['licence']})")
    return ExitCode.DONE


@models.command
def verify(bundle: Path | None = None, /) -> int:
    """Check every file of a bundle against its sums and its schema. For example: dermoscope models verify my-bundle.

    Args:
        bundle: Folder of the bundle; by default the one inside the package.
    """
    from dermoscope.bundle import Bundle, BundleError

    try:
        loaded = Bundle.load(bundle) if bundle else Bundle.default()
    except BundleError as error:
        return fail(str(error))
    print(f"{loaded.name}, fingerprint {loaded.fingerprint}: every file is as it was written")
    return ExitCode.DONE
