"""What the commands do with whole bundles: how one is named; show, verify, list, fetch, import and remove them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from dermoscope.cli.exits import ExitCode, fail

if TYPE_CHECKING:
    from rich.table import Table

    from dermoscope.bundle import Bundle

BundleName = Annotated[
    str | None,  # a path would forget that somebody wrote ./fast
    Parameter(
        help="Folder of a model bundle; or the name of one that is kept on this machine, such as ours or owner/name, "
        "see dermoscope models list; or fast or best, which always mean that mode of the model inside the package "
        "(./fast is a folder). By default the model inside the package. Nothing is fetched."
    ),
]
"""A bundle on the command line, as `dermoscope.bundle.named_bundle` finds it."""


def show(bundle: BundleName = None, /, *, json: Annotated[bool, Parameter(show_default=False)] = False) -> int:
    """Print the card of a bundle: what it is, what it has seen, how well it does.

    For example: dermoscope models show my-bundle

    Of one mode of the bundle inside the package alone: dermoscope models show fast

    Args:
        bundle: See `BundleName`.
        json: Print its description as JSON.
    """
    from json import dumps

    from dermoscope.bundle import named_bundle
    from dermoscope.model_folder import BundleError

    try:
        loaded, mode = named_bundle(bundle)
        described = loaded.describe(mode)
    except BundleError as error:
        return fail(str(error))
    if json:
        print(dumps(described, indent=2))
        return ExitCode.DONE
    from rich.console import Console
    from rich.markdown import Markdown

    card = _card(loaded, mode)
    if card is None:
        return fail(f"{loaded.folder} has no model card; --json prints its description")
    Console().print(Markdown(card, hyperlinks=False))
    print(f"{loaded.folder}: fingerprint {loaded.fingerprint}, {loaded.size_bytes / 1e6:.0f} MB{_modes(loaded, mode)}")
    return ExitCode.DONE


def verify(bundle: BundleName = None, /) -> int:
    """Check every file of a bundle against its sums and its schema. For example: dermoscope models verify my-bundle.

    Args:
        bundle: See `BundleName`.
    """
    from dermoscope.bundle import named_bundle
    from dermoscope.model_folder import BundleError

    try:
        loaded, mode = named_bundle(bundle)
        loaded.mode(mode)
    except BundleError as error:
        return fail(str(error))
    print(f"{loaded.name}, fingerprint {loaded.fingerprint}: every file is as it was written{_modes(loaded, mode)}")
    print(f"Looked at: {loaded.folder}")
    return ExitCode.DONE


def fetch_bundle(repository: str, out: Path) -> ExitCode:
    """Bring a bundle from the model hub into a folder.

    Args:
        repository: `owner/name`.
        out: The folder to write.
    """
    from dermoscope import bundle_hub
    from dermoscope.bundle import Bundle
    from dermoscope.model_folder import BundleError

    if out.exists():
        return fail(f"--out: {out} is there already; choose another")
    try:
        loaded = Bundle.load(bundle_hub.fetch_bundle(repository, folder=out))
    except BundleError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"--out: {out} cannot be written: {error.strerror or error}")
    print(f"{out}: {loaded.name}, fingerprint {loaded.fingerprint}, {loaded.description.licence}")
    return ExitCode.DONE


def import_bundle(folder: Path, name: str) -> ExitCode:
    """Keep a verified copy of a bundle on this machine.

    Args:
        folder: The bundle.
        name: What to keep it under.
    """
    from dermoscope.bundle import Bundle
    from dermoscope.bundle_shelf import keep_bundle
    from dermoscope.model_folder import BundleError

    try:
        loaded = Bundle.load(folder)
        place = keep_bundle(folder, name)
    except BundleError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or folder}: {error.strerror or error}")
    print(f"{name}: {loaded.name}, fingerprint {loaded.fingerprint}, {loaded.description.licence}")
    print(f"Kept in {place}; use it as --bundle {name}")
    return ExitCode.DONE


def remove(name: str, /) -> int:
    """Remove a bundle that is kept on this machine. For example: dermoscope models remove ours.

    One that came from the model hub can be fetched again; one that was imported is gone.

    Args:
        name: As dermoscope models list has it; no folder, and never the bundle inside the package.
    """
    from dermoscope.bundle_shelf import remove_bundle
    from dermoscope.model_folder import BundleError

    try:
        folders = remove_bundle(name)
    except BundleError as error:
        return fail(str(error))
    except OSError as error:
        return fail(f"{error.filename or name}: {error.strerror or error}")
    print(f"{name}: removed {' and '.join(map(str, folders))}")
    return ExitCode.DONE


def bundle_table() -> Table:
    """The bundle inside the package and those that are kept on this machine, a row each; sums are not checked."""
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, padding=(0, 2, 0, 0), header_style="dim")
    for heading in ("bundle", "from", "model", "modes", "fingerprint", "size"):
        table.add_column(heading, no_wrap=True, justify="right" if heading == "size" else "left")
    table.add_column("licence")
    for row in _rows():
        table.add_row(*map(Text, row))
    return table


def _rows() -> Iterator[tuple[str, ...]]:
    from dermoscope.bundle import SHIPPED
    from dermoscope.bundle_shelf import imported_folder, kept_bundles

    yield "in the package", "", *_facts(SHIPPED)
    for name, folder in kept_bundles().items():
        yield name, "import" if folder.parent == imported_folder() else "hub", *_facts(folder)


def _facts(folder: Path) -> tuple[str, ...]:
    """What the table says of one bundle; of one that cannot be read, why."""
    from dermoscope.bundle import BundleDescription
    from dermoscope.bundle_parts import DESCRIPTION
    from dermoscope.images import printable
    from dermoscope.model_folder import BundleError, fingerprint_of, read_description, read_sums

    try:
        sums = read_sums(folder)
        described = read_description(folder / DESCRIPTION, BundleDescription)
        size = sum((folder / file).stat().st_size for file in sums)
    except (BundleError, OSError) as error:
        return *("–",) * 4, f"cannot be read: {error}"
    facts = f"{described.name} {described.version}", ", ".join(described.modes), fingerprint_of(sums)
    return *map(printable, facts), f"{size / 1e6:.0f} MB", printable(described.licence)


def _card(bundle: Bundle, mode: str | None) -> str | None:
    """The model card, of one mode alone if one is named; none where there is none."""
    if mode is not None:
        from dermoscope.training.model_card import mode_card

        return mode_card(bundle.description, mode)
    card = bundle.folder / "README.md"
    return card.read_text(encoding="utf-8") if card.is_file() else None


def _modes(bundle: Bundle, mode: str | None) -> str:
    """Which mode of which was meant; empty if none was named."""
    return f"; mode {mode} of {', '.join(bundle.description.modes)}" if mode else ""
