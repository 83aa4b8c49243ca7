"""What a data set on the network consists of: files with addresses, sums and sizes, under a licence."""

from __future__ import annotations

import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LOCK_NAME = "dermoscope-download.json"
"""The lock file in a download folder: what came, with its SHA-256."""

_ARCHIVES = (".zip", ".tar.gz", ".tgz", ".tar")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class DownloadError(RuntimeError):
    """A data set cannot be downloaded; the message is one line that names the file or address and the way out."""


def is_safe_address(address: str) -> bool:
    """Whether an address is fetched at all: https, or http on this very computer."""
    parts = urlsplit(address)
    return bool(parts.hostname) and (
        parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    )


def _https(address: str) -> str:
    if not is_safe_address(address):
        raise ValueError("needs an address that starts with https://")
    return address


def _plain_name(name: str) -> str:
    if not re.fullmatch(r"\w[\w. -]*", name, re.ASCII) or name == LOCK_NAME:
        raise ValueError("needs a plain file name without folders")
    return name


Checksum = Annotated[str, Field(pattern=r"^(sha256:[0-9a-f]{64}|md5:[0-9a-f]{32})?$")]


class RemoteFile(BaseModel):
    """One file of a data set.

    Attributes:
        name: Its name in the download folder.
        address: Where it is, starting with https.
        checksum: `sha256:…` or `md5:…` in lower-case hexadecimal; empty where none is known for certain.
        about_bytes: Its size, possibly rounded; 0 if unknown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, AfterValidator(_plain_name)]
    address: Annotated[str, AfterValidator(_https)]
    checksum: Checksum = ""
    about_bytes: Annotated[int, Field(ge=0)] = 0

    @property
    def is_archive(self) -> bool:
        """Whether it is unpacked after it has come."""
        return self.name.lower().endswith(_ARCHIVES)

    @property
    def stem(self) -> str:
        """Its name without the ending of an archive."""
        ending = next((ending for ending in _ARCHIVES if self.name.lower().endswith(ending)), "")
        return self.name[: len(self.name) - len(ending)]


class Source(BaseModel):
    """One data set.

    Attributes:
        name: What users call it on the command line.
        title: What it is, with its number of images.
        licence: Under which terms the publisher gives it.
        citation: What the publisher asks to cite.
        page: The publisher's page.
        files: What belongs to it.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: Annotated[str, Field(min_length=1)]
    title: str
    licence: Annotated[str, Field(min_length=1)]
    citation: str
    page: str
    files: Annotated[tuple[RemoteFile, ...], Field(min_length=1)]

    @property
    def about_bytes(self) -> int:
        """Size of all files together, rounded."""
        return sum(file.about_bytes for file in self.files)
