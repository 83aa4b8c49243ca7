"""Who made an object: the program and its model, in the words of DICOM."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from dermoscope import __version__

if TYPE_CHECKING:
    from highdicom import AlgorithmIdentificationSequence
    from highdicom.sr import AlgorithmIdentification

MANUFACTURER = "dermoscope"
NOTICE = "Research use only, not a medical device"
"""In every object: as its series description, and among the parameters of the algorithm."""

_LONGEST = 64  # characters of a long string (LO), PS3.5, 6.2


@dataclass(frozen=True)
class ModelName:
    """The model behind a result.

    Attributes:
        name: Name of the bundle.
        fingerprint: Fingerprint of the bundle.
    """

    name: str
    fingerprint: str

    @property
    def label(self) -> str:
        """Its name, as long as DICOM allows."""
        return self.name[:_LONGEST]

    @property
    def serial(self) -> str:
        """Its fingerprint, as long as DICOM allows."""
        return self.fingerprint[:_LONGEST]

    @property
    def parameters(self) -> dict[str, str]:
        """What the algorithm is, beside its name and version."""
        return {"bundle": self.label, "fingerprint": self.serial, "notice": NOTICE}

    def for_segment(self) -> AlgorithmIdentificationSequence:
        """The algorithm behind a segment (PS3.3, 10.16)."""
        from highdicom import AlgorithmIdentificationSequence
        from pydicom.sr.codedict import codes

        return AlgorithmIdentificationSequence(
            MANUFACTURER,
            family=codes.DCM.ArtificialIntelligence,
            version=__version__,
            source=MANUFACTURER,
            parameters=self.parameters,
        )

    def for_report(self) -> AlgorithmIdentification:
        """The algorithm behind a measurement (PS3.16, TID 4019)."""
        from highdicom.sr import AlgorithmIdentification

        parameters = [f"{name}: {value}" for name, value in self.parameters.items()]
        return AlgorithmIdentification(MANUFACTURER, __version__, parameters=parameters)
