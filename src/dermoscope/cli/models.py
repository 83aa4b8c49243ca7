"""`dermoscope models`: which encoders and bundles there are; bring them in, export encoders, check bundles."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import App, Parameter

from dermoscope.cli import bundles
from dermoscope.cli.exits import ExitCode, fail
from dermoscope.encoders.registry import ENCODERS, EncoderSpec

models = App(
    name="models", help="List, fetch, import and export encoders; list, show, verify, fetch, import and remove bundles."
)
models.command(bundles.show)
models.command(bundles.verify)
models.command(bundles.remove)

_TABLE_WIDTH = 160
_TRAIN = 'pip install "dermoscope[train]"'


@models.command(name="list")
def list_models(*, weights: Path = Path()) -> int:
    """List the known encoders, which of their weights are in a folder, and the bundles on this machine.

    Bundles are whole models: the one inside the package, and those that are kept for this account, whose names go with
    --bundle. For example: dermoscope models list --weights weights

    Args:
        weights: Folder with files named after their encoder; by default this one.
    """
    from rich.console import Console
    from rich.table import Table

    from dermoscope.bundle_shelf import fetched_folder, imported_folder

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("name", "parameters", "native size"):
        table.add_column(heading, no_wrap=True, justify="left" if heading == "name" else "right")
    for heading in ("weights", "licence", "source"):
        table.add_column(heading, no_wrap=True)
    for spec in ENCODERS.values():
        present = "here" if _present(spec, weights) else "–"
        size = f"{spec.native_size} px"
        table.add_row(spec.name, f"{spec.parameters:.1f} M", size, present, spec.licence, spec.source)
    # Wider than some terminals: a wrapped line is better than half a name.
    console = Console(width=_TABLE_WIDTH)
    console.print(table)
    console.print()
    console.print(bundles.bundle_table())
    print(f"Imported bundles are kept in {imported_folder()}")
    print(f"Those from the hub can be fetched again, and are kept in the cache: {fetched_folder()}")
    return ExitCode.DONE


@models.command
def fetch(name: str, /, *, out: Path | None = None) -> int:
    """Download the weights of one encoder, or a whole bundle, from the model hub. Nothing else ever fetches any.

    For example: dermoscope models fetch sam2.1_hiera_tiny --out weights/sam2.1_hiera_tiny.safetensors

    A network of timm brings what dermoscope train starts from, as in: dermoscope models fetch efficientnet_b3

    And a bundle, which comes as a folder that --bundle takes: dermoscope models fetch someone/model --out my-bundle

    Needs pip install "dermoscope[train]"; for a bundle, "dermoscope[hub]" is enough.

    Args:
        name: The encoder, see `dermoscope models list`; or a bundle's repository, owner/name.
        out: The file or folder to write; by default named after the encoder or the bundle, in this folder.
    """
    if "/" in name:
        return bundles.fetch_bundle(name, out or Path(name.rpartition("/")[2]))
    spec = ENCODERS.get(name)
    if spec is None:
        return _unknown("NAME", name)
    try:
        from dermoscope.encoders.hub import fetch_weights
        from dermoscope.encoders.weights import WeightsError

        target = fetch_weights(spec, out or Path(f"{name}.safetensors"))
    except ModuleNotFoundError as error:
        return fail(f"{error.name} is not installed; run: {_TRAIN}")
    except WeightsError as error:
        return fail(str(error))
    print(f"{target}: {spec.source} ({spec.licence})")
    return ExitCode.DONE


@models.command(name="import")
def import_model(
    source: Path, /, *, encoder: str | None = None, out: Path | None = None, name: str | None = None
) -> int:
    """Bring a model in once: the authors' own checkpoint of an encoder, or a bundle from a folder.

    A checkpoint (.pt, .pth) is converted to safetensors, for training. It is read without running any code in it, and
    refused if it does not fit the encoder. This needs the training extra: pip install "dermoscope[train]".

    dermoscope models import sam_vit_h_4b8939.pth --encoder sam_vit_h --out weights/sam_vit_h.safetensors

    A bundle, such as dermoscope export writes it, is checked and copied to the data of this account, where no cleaning
    of caches reaches it, so that its name goes with --bundle. Named owner/name, it stands for the one that the model
    hub has under that name, for machines that cannot reach it. An archive must be unpacked first. One that is kept is
    not replaced; dermoscope models remove takes it away first.

    dermoscope models import my-bundle --name ours

    Args:
        source: The original file, or the folder of the bundle.
        encoder: What the file is, see `dermoscope models list`.
        out: The file to write; by default named after the encoder, in this folder.
        name: What to keep the bundle under; by default the name of its folder.
    """
    if source.is_dir():
        if encoder is not None or out is not None:
            return fail(f"--encoder, --out: go with a file; {source} is a folder, as of a bundle", ExitCode.USAGE)
        return bundles.import_bundle(source, name or source.resolve().name)
    if name is not None:
        return fail(f"--name: goes with the folder of a bundle; {source} is none", ExitCode.USAGE)
    if encoder is None:
        known = "see dermoscope models list; a bundle is imported from its unpacked folder"
        return fail(f"--encoder: say of what {source} is the checkpoint, {known}", ExitCode.USAGE)
    return _import_checkpoint(source, encoder, out)


def _import_checkpoint(checkpoint: Path, encoder: str, out: Path | None) -> ExitCode:
    spec = ENCODERS.get(encoder)
    if spec is None:
        return _unknown("--encoder", encoder)
    try:
        from dermoscope.encoders.weights import WeightsError
        from dermoscope.training.checkpoints import import_checkpoint
    except ModuleNotFoundError as error:
        return fail(f"{error.name} is not installed; run: {_TRAIN}")
    target = out or Path(f"{encoder}.safetensors")
    try:
        notes = import_checkpoint(checkpoint, spec, target)
    except WeightsError as error:
        return fail(str(error))
    print(f"{target}: {notes['source']} ({notes['licence']})")
    if spec.checkpoint_sha256 and notes["original_sha256"] != spec.checkpoint_sha256:
        print(f"{checkpoint} fits {encoder}, but is not the file its authors published (SHA-256 differs)")
    return ExitCode.DONE


@models.command(name="export-encoder")
def export_encoder(
    name: str,
    /,
    *,
    weights: Path,
    out: Path,
    size: int | None = None,
    fit: Literal["pad", "squash"] = "pad",
    half: Annotated[bool, Parameter(show_default=False)] = False,
) -> int:
    """Write an encoder as a folder that dermoscope embed takes: an ONNX graph and what it is.

    The graph takes any number of images at once and runs without torch. For example:

    dermoscope models export-encoder sam2_hiera_tiny --weights sam2_hiera_tiny.safetensors --size 512 --out sam2-512

    Needs the training extra: pip install "dermoscope[train]".

    Args:
        name: The encoder, see `dermoscope models list`.
        weights: Its safetensors file, a folder with files named after their encoder, or a downloaded model folder.
        out: Folder to write.
        size: Side of the square input in pixels; by default the one the weights were trained at.
        fit: Fill the square keeping the aspect ratio (pad), or stretch the image to it (squash).
        half: Store the weights as float16: half the file, slightly other numbers.
    """
    spec = ENCODERS.get(name)
    if spec is None:
        return _unknown("NAME", name)
    from dermoscope.encoders.inputs import input_contract

    try:
        contract = input_contract(spec, size, fit)
    except ValueError as error:
        return fail(f"--{error}", ExitCode.USAGE)
    try:
        from dermoscope.encoders.folder import EncoderFolder
        from dermoscope.encoders.weights import WeightsError
        from dermoscope.training import encoder_export
    except ModuleNotFoundError as error:
        return fail(f"{error.name} is not installed; run: {_TRAIN}")
    try:
        encoder_export.export_encoder(spec, _present(spec, weights) or weights, contract, out, half_weights=half)
    except WeightsError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"--out: {out} cannot be written: {error.strerror or error}")
    loaded = EncoderFolder.load(out)
    maps = ", ".join(f"{one.channels}×{one.side}×{one.side}" for one in loaded.description.maps)
    print(f"{out}: {name} at {contract.size} px ({fit}), fingerprint {loaded.description.fingerprint}")
    print(f"maps {maps}; {loaded.graph.stat().st_size / 1e6:.0f} MB")
    return ExitCode.DONE


def _unknown(argument: str, name: str) -> ExitCode:
    return fail(f"{argument}: unknown encoder {name!r}; known: {', '.join(ENCODERS)}", ExitCode.USAGE)


def _present(spec: EncoderSpec, folder: Path) -> Path | None:
    """The file or model folder of an encoder in a folder of weights."""
    candidates = (folder / f"{spec.name}.safetensors", folder / spec.name)
    return next((path for path in candidates if path.exists()), None)
