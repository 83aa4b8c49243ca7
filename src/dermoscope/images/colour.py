"""From whatever a file stores to 8-bit sRGB: palettes, alpha, grey, CMYK, 16 bits, embedded colour profiles."""

from __future__ import annotations

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, TiffImagePlugin

BACKGROUND = 128
"""The grey that shows through transparent pixels.

White would look over-exposed, black like the dark frame of a dermoscope; the middle of the range raises neither flag
and has no hue.
"""

_LARGEST_PROFILE = 4 * 2**20
_DEEP_GREY = ("I;16", "I;16L", "I;16B", "I;16N")
_UNUSABLE = {
    "F": "stores floating-point values, whose black and white are not known",
    "I": "stores 32-bit integers, whose black and white are not known",
    "LAB": "stores CIELAB colours, which are not read",
}
# The ICC names of the colour spaces a profile may be for, and the Pillow mode in which such pixels come.
_PROFILE_MODES = {"RGB ": "RGB", "GRAY": "L", "CMYK": "CMYK"}
_BITS_PER_SAMPLE = 258
_PHOTOMETRIC = 262
_WHITE_IS_ZERO = 0


class ColourConversion:
    """The way from one image's stored pixels to 8-bit sRGB, applied to any part of it.

    An embedded ICC profile is used if it is whole and fits the pixels, and ignored otherwise. Deep grey keeps its most
    significant 8 bits. Transparent pixels show `BACKGROUND`.

    Attributes:
        found_transparency: Whether any converted pixel so far was not opaque.
    """

    def __init__(self, image: Image.Image) -> None:
        """Look at an opened image; nothing is decoded.

        Raises:
            ValueError: If the pixels have no meaning as a picture; the message continues "This file ...".
        """
        if image.mode in _UNUSABLE:
            raise ValueError(_UNUSABLE[image.mode])
        self.found_transparency = False
        self._transparent = image.has_transparency_data
        self._grey_shift, self._grey_inverted = _deep_grey_layout(image)
        self._profile_mode, self._transform = _srgb_transform(image)

    def to_rgb(self, part: Image.Image) -> NDArray[np.uint8]:
        """8-bit sRGB of shape (height, width, 3) of a part of the image, such as a strip."""
        if part.mode in _DEEP_GREY:
            return self._deep_grey_to_rgb(part)
        if not self._transparent:
            return np.asarray(self._opaque_to_rgb(part))
        with_alpha = part.convert("RGBA")
        alpha = with_alpha.getchannel("A")
        if alpha.getextrema()[0] == 255:
            return np.asarray(self._opaque_to_rgb(with_alpha))
        self.found_transparency = True
        background = Image.new("RGB", part.size, (BACKGROUND, BACKGROUND, BACKGROUND))
        background.paste(self._opaque_to_rgb(with_alpha), mask=alpha)
        return np.asarray(background)

    def _opaque_to_rgb(self, part: Image.Image) -> Image.Image:
        if self._profile_mode == "RGB" and part.mode != "CMYK":
            part = part.convert("RGB")
        if self._transform is None or part.mode != self._profile_mode:
            return part.convert("RGB")
        return self._transform.apply(part)

    def _deep_grey_to_rgb(self, part: Image.Image) -> NDArray[np.uint8]:
        grey = (np.asarray(part).astype(np.uint16) >> self._grey_shift).clip(0, 255).astype(np.uint8)
        if self._grey_inverted:
            grey = 255 - grey
        return np.repeat(grey[..., None], 3, axis=2)


def _deep_grey_layout(image: Image.Image) -> tuple[int, bool]:
    """By how many bits deep grey exceeds 8, and whether 0 means white, which Pillow hands on as it finds it."""
    if not isinstance(image, TiffImagePlugin.TiffImageFile):
        return 8, False
    bits = image.tag_v2.get(_BITS_PER_SAMPLE, (16,))[0]
    return max(0, bits - 8), image.tag_v2.get(_PHOTOMETRIC) == _WHITE_IS_ZERO


def _srgb_transform(image: Image.Image) -> tuple[str, ImageCms.ImageCmsTransform | None]:
    """The Pillow mode that the embedded profile is for, and a transform from there; none if there is nothing to do."""
    content = image.info.get("icc_profile")
    if not isinstance(content, bytes) or not 0 < len(content) <= _LARGEST_PROFILE:
        return "", None
    try:
        profile = ImageCms.ImageCmsProfile(io.BytesIO(content))
        mode = _PROFILE_MODES[profile.profile.xcolor_space]
        if mode == "RGB" and "srgb" in (profile.profile.profile_description or "").lower():
            return "", None
        return mode, ImageCms.buildTransform(
            profile,
            ImageCms.createProfile("sRGB"),
            mode,
            "RGB",
            ImageCms.Intent.RELATIVE_COLORIMETRIC,
            ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, KeyError, ValueError, TypeError, ImageCms.PyCMSError):
        # A profile only refines the colours; the picture is worth having without it.
        return "", None
