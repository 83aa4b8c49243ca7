"""Bundles from the model hub, only when somebody asks for them. Torch-free.

A bundle on the hub is a repository with the files of a bundle folder at its top.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from dermoscope.bundle_parts import DESCRIPTION
from dermoscope.bundle_shelf import MAIN, fetched_folder, folder_name, is_repository, kept_bundle, partial_of
from dermoscope.model_folder import SUMS, BundleError, read_sums, verified_sums

LARGEST_BUNDLE = 4 * 2**30
"""Bytes; a repository that says its files are larger is refused before they are fetched."""


def fetch_bundle(
    repository: str, *, revision: str = MAIN, folder: Path | None = None, endpoint: str | None = None
) -> Path:
    """The folder of a bundle from the hub; one that is kept already is taken as it is, without a call to the network.

    No credentials are sent, and only what `SHA256SUMS` lists is asked for. An interrupted download goes on where it
    stopped.

    Args:
        repository: `owner/name`.
        revision: Branch, tag or commit.
        folder: Folder to write; by default one in the cache of this account.
        endpoint: Address of the hub; by default the one `huggingface_hub` is set to.

    Raises:
        BundleError: If the name is no repository, the hub cannot be reached or lacks a file, what came is damaged or
            too large, or `huggingface_hub` is not installed.
        OSError: If the folder cannot be written.
    """
    wanted = f"{repository}@{revision}"
    kept_as = folder_name(wanted) if is_repository(repository) else None
    if kept_as is None:
        raise BundleError(f"{repository!r} at {revision!r} is neither a folder nor a repository like owner/name")
    if folder is None and (kept := kept_bundle(wanted)):
        return kept
    target = folder or fetched_folder() / kept_as
    if (target / SUMS).is_file():
        return target
    partial = partial_of(target)
    _fetch(repository, revision, SUMS, partial, endpoint)
    names = sorted(read_sums(partial))
    size = sum(_size(repository, revision, name, endpoint) for name in names)
    if size > LARGEST_BUNDLE:
        raise BundleError(f"{repository} has {size / 2**30:.1f} GiB, more than any bundle; it was not fetched")
    for name in names:
        _fetch(repository, revision, name, partial, endpoint)
    try:
        verified_sums(partial, DESCRIPTION)
    except BundleError as error:
        shutil.rmtree(partial)
        raise BundleError(f"{repository} at {revision} came damaged ({error}); it was thrown away") from None
    shutil.rmtree(partial / ".cache", ignore_errors=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial.rename(target)
    return target


def _fetch(repository: str, revision: str, name: str, folder: Path, endpoint: str | None) -> None:
    with _asking(repository, revision, name):
        from huggingface_hub import hf_hub_download

        hf_hub_download(repository, name, revision=revision, local_dir=folder, endpoint=endpoint, token=False)


def _size(repository: str, revision: str, name: str, endpoint: str | None) -> int:
    with _asking(repository, revision, name):
        from huggingface_hub import get_hf_file_metadata, hf_hub_url

        url = hf_hub_url(repository, name, revision=revision, endpoint=endpoint)
        return get_hf_file_metadata(url, token=False, endpoint=endpoint).size or 0


@contextmanager
def _asking(repository: str, revision: str, name: str) -> Iterator[None]:
    """Makes an error of what goes wrong with the hub that says what to do."""
    try:
        from httpx import TransportError
        from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError
    except ModuleNotFoundError:
        raise BundleError('a bundle from the hub needs: pip install "dermoscope[hub]"') from None
    try:
        yield
    except (LocalEntryNotFoundError, TransportError):
        raise BundleError(
            f"the hub cannot be reached for {repository}; are you offline? A bundle folder from elsewhere does as well"
        ) from None
    except HfHubHTTPError as error:
        reason = str(error).strip().splitlines()[0]
        raise BundleError(f"the hub does not give {repository}/{name} at {revision}: {reason}") from None
