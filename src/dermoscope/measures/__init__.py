"""What a dermatologist measures on a lesion, from its pixels and its mask: asymmetry, border, colours, diameter.

The letters of the ABCD rule (Stolz et al., ABCD rule of dermatoscopy, Eur J Dermatol 1994; Nachbar et al., J Am Acad
Dermatol 1994), each as a number that is defined in its module. They describe a lesion. They are no score, and no
threshold for a decision comes with them. Torch-free.
"""

from dermoscope.measures.asymmetry import Asymmetry, measure_asymmetry
from dermoscope.measures.border import compactness
from dermoscope.measures.colours import COLOURS, Colours, measure_colours
from dermoscope.measures.diameter import Diameter, measure_diameter
from dermoscope.measures.lesion import LesionMeasures, measure_lesion
from dermoscope.measures.scale import LEAST_MM_PER_PIXEL, MOST_MM_PER_PIXEL, spacing_of
from dermoscope.measures.shape import Shape, shape_of

__all__ = [
    "COLOURS",
    "LEAST_MM_PER_PIXEL",
    "MOST_MM_PER_PIXEL",
    "Asymmetry",
    "Colours",
    "Diameter",
    "LesionMeasures",
    "Shape",
    "compactness",
    "measure_asymmetry",
    "measure_colours",
    "measure_diameter",
    "measure_lesion",
    "shape_of",
    "spacing_of",
]
