"""DTD, the describable textures, in its official layout."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar

from dermoscope import taxonomy
from dermoscope.data.layout import Layout, folder_of, images_below
from dermoscope.data.manifest import Record


@dataclass(frozen=True)
class DTD(Layout):
    """The Describable Textures Dataset: 5,640 photographs of 47 textures, here as what is not skin.

    Format: JPEG images in `images/<texture>/<texture>_<number>.jpg`; ten splits in thirds as
    `labels/<train|val|test><1 to 10>.txt`, one `<texture>/<file>` a line. The labels may be absent.

    Classes: every image is `NOT_SKIN`; its texture stands in `site`.

    Split: none, or one of the ten official ones.

    Licence: for research. Citation: Cimpoi et al., Describing textures in the wild, CVPR, 2014.

    Official counts: 47 textures of 120 images.

    Attributes:
        root: The folder that holds `images`.
        official_split: Number of an official split, 1 to 10; None for no split.
    """

    TITLE: ClassVar[str] = "DTD: 5,640 textures, what is not skin"
    LICENCE: ClassVar[str] = "research only"
    OFFICIAL_COUNTS: ClassVar[Mapping[str, int]] = MappingProxyType(
        {"images": 5_640, "textures": 47, "fewest images a texture": 120, "most images a texture": 120}
    )

    official_split: int | None = None

    def records(self, *, need_files: bool = True) -> Iterator[Record]:
        """One record an image, ordered by texture and name. See `Layout.records`."""
        del need_files  # the folder is the table
        images = folder_of(self.root, "images", "dtd/images")
        if not images.is_dir():
            raise FileNotFoundError(f"{images} is missing; point to the folder that holds it")
        splits = self._splits(self.official_split) if self.official_split is not None else {}
        for path in images_below(images):
            yield Record(
                image_id=path.stem,
                path=path,
                diagnosis=taxonomy.NOT_SKIN,
                source="DTD",
                split=splits.get(f"{path.parent.name}/{path.name}", ""),
                site=path.parent.name,
            )

    def counts(self) -> dict[str, int]:
        """What is here, with the number of textures and their sizes."""
        sizes: dict[str, int] = {}
        for record in self.records():
            sizes[record.site] = sizes.get(record.site, 0) + 1
        extremes = (min(sizes.values(), default=0), max(sizes.values(), default=0))
        return {
            **super().counts(),
            "textures": len(sizes),
            "fewest images a texture": extremes[0],
            "most images a texture": extremes[1],
        }

    def _splits(self, number: int) -> dict[str, str]:
        labels = folder_of(self.root, "labels", "dtd/labels")
        return {
            name: part
            for part in ("train", "val", "test")
            for name in (labels / f"{part}{number}.txt").read_text(encoding="utf-8").split()
        }
