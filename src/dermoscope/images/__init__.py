"""Images: safe decoding, the frame, quality, and pictures for people. Nothing here needs torch."""

from dermoscope.images.colour_constancy import shades_of_gray
from dermoscope.images.decode import MAX_PIXELS, MIN_SIDE, DecodedImage, decode
from dermoscope.images.draw import RESEARCH_USE, draw_evidence, draw_outline, save_png, side_by_side
from dermoscope.images.frame import CircleRemoval, field_of_view, remove_outer_circle, without_frame
from dermoscope.images.grain import grain_level, without_grain
from dermoscope.images.hair import HairRemoval, remove_hair
from dermoscope.images.lesion_crops import CROPS, Box, Crop, MiddleRule, cut, lesion_crops
from dermoscope.images.masks import LESION_ABOVE, read_mask
from dermoscope.images.quality import (
    QUALITY_FLAGS,
    QualityMeasures,
    QualityThresholds,
    measure_quality,
    quality_flags,
)
from dermoscope.images.reading import MAX_FILE_BYTES, ImageError, printable, read_image_file
from dermoscope.images.working_size import WORKING_SIDE, working_copy

__all__ = [
    "CROPS",
    "LESION_ABOVE",
    "MAX_FILE_BYTES",
    "MAX_PIXELS",
    "MIN_SIDE",
    "QUALITY_FLAGS",
    "RESEARCH_USE",
    "WORKING_SIDE",
    "Box",
    "CircleRemoval",
    "Crop",
    "DecodedImage",
    "HairRemoval",
    "ImageError",
    "MiddleRule",
    "QualityMeasures",
    "QualityThresholds",
    "cut",
    "decode",
    "draw_evidence",
    "draw_outline",
    "field_of_view",
    "grain_level",
    "lesion_crops",
    "measure_quality",
    "printable",
    "quality_flags",
    "read_image_file",
    "read_mask",
    "remove_hair",
    "remove_outer_circle",
    "save_png",
    "shades_of_gray",
    "side_by_side",
    "without_frame",
    "without_grain",
    "working_copy",
]
