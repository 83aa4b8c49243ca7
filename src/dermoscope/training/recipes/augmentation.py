"""What a recipe may say about changing images and their masks at random. Torch-free."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, PositiveFloat, PositiveInt

from dermoscope.training.recipes.schema import Part, Share


def _rising(ends: tuple[float, float]) -> tuple[float, float]:
    if ends[0] > ends[1]:
        raise ValueError(f"the smaller end comes first, got {list(ends)}")
    return ends


PositiveRange = Annotated[tuple[PositiveFloat, PositiveFloat], AfterValidator(_rising)]
"""Smallest and largest value, both above zero."""

LARGEST_MAGNITUDE = 10.0
"""Of RandAugment."""

Quality = Annotated[int, Field(ge=1, le=100)]


class SymmetryPart(Part):
    """One of the eight symmetries of the square, each as likely as the others.

    Attributes:
        probability: Of drawing one, which may be the identity.
    """

    probability: Share = 1.0


class ZoomPart(Part):
    """Another distance, direction and detail; what comes in from outside is mirrored image or skin colour.

    Attributes:
        probability: Of being used.
        scale: Magnification, drawn so that halving is as likely as doubling; above one crops.
        rotation: Largest angle to either side, in degrees.
        least_lesion: Share of the lesion's area that must stay in view.
    """

    probability: Share = 0.8
    scale: PositiveRange = (0.7, 1.7)
    rotation: Annotated[float, Field(ge=0.0, le=180.0)] = 30.0
    least_lesion: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6


class HairPart(Part):
    """Hairs over skin and lesion.

    Attributes:
        probability: Of being used.
        most: Largest number of hairs.
        width: Thickness, in thousandths of the short side.
        light: Share of images whose hair is light rather than dark.
    """

    probability: Share = 0.25
    most: PositiveInt = 16
    width: PositiveRange = (2.5, 8.0)
    light: Share = 0.15


class InkPart(Part):
    """A ruler or the strokes of a surgical marker.

    Attributes:
        probability: Of being used.
        ruler: Share of rulers; the others are strokes of a marker.
    """

    probability: Share = 0.1
    ruler: Share = 0.6


class ColourPart(Part):
    """Light, camera and skin; each change is drawn evenly up to the size given, to either side.

    Attributes:
        probability: Of being used.
        brightness: Share by which all intensities grow or shrink.
        contrast: Share by which they move away from the image's mean colour, or towards it.
        saturation: Share by which they move away from grey, or towards it.
        hue: Turn around the grey axis, in degrees.
        white_balance: Share by which each channel grows or shrinks on its own.
    """

    probability: Share = 0.8
    brightness: Share = 0.15
    contrast: Share = 0.2
    saturation: Share = 0.25
    hue: Annotated[float, Field(ge=0.0, le=180.0)] = 6.0
    white_balance: Share = 0.06


class FramePart(Part):
    """The dark surroundings of a dermatoscope's round view; what lies there is no lesion any more.

    Attributes:
        probability: Of being used.
        radius: Of the view, in units of half the diagonal of the image.
        least_lesion: Share of the lesion's area that must stay in view.
    """

    probability: Share = 0.1
    radius: PositiveRange = (0.68, 0.95)
    least_lesion: Annotated[float, Field(gt=0.0, le=1.0)] = 0.6


class BlurPart(Part):
    """Out of focus.

    Attributes:
        probability: Of being used.
        sigma: Standard deviation of the Gaussian, in thousandths of the short side.
    """

    probability: Share = 0.2
    sigma: PositiveRange = (2.0, 6.0)


class JPEGPart(Part):
    """Written and read once more.

    Attributes:
        probability: Of being used.
        quality: As the JPEG library counts it, 1 to 100.
    """

    probability: Share = 0.3
    quality: Annotated[tuple[Quality, Quality], AfterValidator(_rising)] = (30, 90)


class ConstancyPart(Part):
    """The image as in neutral light, as `images.shades_of_gray` makes it: a network meets both kinds.

    Attributes:
        probability: Of being used.
        power: Of the Minkowski mean; 1 is grey world.
    """

    probability: Share = 0.0
    power: Annotated[float, Field(ge=1.0)] = 6.0


class RandAugmentPart(Part):
    """RandAugment's changes of colour.

    Attributes:
        probability: Of being used.
        operations: How many after each other; N in the publication.
        magnitude: Their common strength, 0 to 10; M in the publication.
    """

    probability: Share = 0.0
    operations: PositiveInt = 2
    magnitude: Annotated[float, Field(ge=0.0, le=LARGEST_MAGNITUDE)] = 4.0


class AugmentationPart(Part):
    """Random changes of an image and its mask, in this order; a probability of 0 leaves one out.

    Attributes:
        symmetry: Flips and quarter turns.
        zoom: Scale, crop and rotation.
        hair: Hairs.
        ink: Ruler or marker.
        colour: Light and camera.
        frame: The round view of a dermatoscope.
        blur: Out of focus.
        jpeg: Compression.
        constancy: Neutral light; out of use unless a recipe asks for it.
        rand_augment: A few changes of colour out of a list; out of use unless a recipe asks for it.
    """

    symmetry: SymmetryPart = SymmetryPart()
    zoom: ZoomPart = ZoomPart()
    hair: HairPart = HairPart()
    ink: InkPart = InkPart()
    colour: ColourPart = ColourPart()
    frame: FramePart = FramePart()
    blur: BlurPart = BlurPart()
    jpeg: JPEGPart = JPEGPart()
    constancy: ConstancyPart = ConstancyPart()
    rand_augment: RandAugmentPart = RandAugmentPart()


NO_AUGMENTATION = AugmentationPart(
    symmetry=SymmetryPart(probability=0.0),
    zoom=ZoomPart(probability=0.0),
    hair=HairPart(probability=0.0),
    ink=InkPart(probability=0.0),
    colour=ColourPart(probability=0.0),
    frame=FramePart(probability=0.0),
    blur=BlurPart(probability=0.0),
    jpeg=JPEGPart(probability=0.0),
)
"""Images as they are."""
