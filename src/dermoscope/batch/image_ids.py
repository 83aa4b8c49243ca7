"""From a file's name to an image id that is safe as a file name on every system."""

from __future__ import annotations

import hashlib
import os
import unicodedata
from pathlib import PurePath

_LONGEST = 100
_DIGEST = 8
_PUNCTUATION = frozenset("-_.,+ ()")
_RESERVED = frozenset(
    {"CON", "PRN", "AUX", "NUL", *(f"{port}{digit}" for port in ("COM", "LPT") for digit in "123456789")}
)


def image_id_of(path: str) -> str:
    """An id made of the file's stem alone; two files may share it.

    Letters, digits and marks of every script stay, and so do `-_.,+ ()`; anything else becomes `_`. The id starts with
    none of `-+. ` (an option, a formula, a hidden file), is no reserved name of Windows, and is at most 100 bytes long:
    a longer stem is cut and ends in eight digits of its SHA-256.

    Args:
        path: Any path; need not exist.
    """
    stem = os.fsencode(PurePath(path).stem).decode("utf-8", "replace")
    safe = "".join(map(_safe_character, unicodedata.normalize("NFC", stem))).lstrip("-+. ").rstrip(". ") or "image"
    if safe.partition(".")[0].upper() in _RESERVED:
        safe = f"_{safe}"
    if len(safe.encode()) > _LONGEST:
        safe = f"{_cut(safe)}-{_digest(stem.encode())}"
    return safe


def distinct_id(image_id: str, name: str, attempt: int) -> str:
    """The id of an image whose plain id is taken: it ends in eight digits of the SHA-256 of its path.

    Args:
        image_id: The plain id.
        name: The path as results show it.
        attempt: 1, or higher where the ids of lower attempts are taken too.
    """
    digest = _digest((name if attempt == 1 else f"{name}\n{attempt}").encode())
    return f"{_cut(image_id)}-{digest}"


def comparison_key(image_id: str) -> str:
    """Equal for ids that a file system may take for the same name."""
    return unicodedata.normalize("NFKC", image_id.casefold())


def _safe_character(character: str) -> str:
    is_word = unicodedata.category(character)[0] in "LMN"
    return character if is_word or character in _PUNCTUATION else "_"


def _cut(image_id: str) -> str:
    return image_id.encode()[: _LONGEST - _DIGEST - 1].decode("utf-8", "ignore")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()[:_DIGEST]
