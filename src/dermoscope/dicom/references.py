"""References between DICOM objects."""

from __future__ import annotations

from collections.abc import Iterator

from pydicom.dataset import Dataset


def references(data_set: Dataset, instance: str) -> Iterator[tuple[str, Dataset]]:
    """Every reference to an object, at any depth, with the name of the sequence that it is in.

    Args:
        data_set: Where to look.
        instance: UID of the object.
    """
    for element in data_set:
        if element.VR == "SQ":
            for item in element.value:
                if item.get("ReferencedSOPInstanceUID") == instance:
                    yield element.keyword, item
                yield from references(item, instance)
