"""How extraction uses an exported encoder: its name for people, the shapes of its columns, and its compiled graph."""

from __future__ import annotations

from types import MappingProxyType

from dermoscope.encoders.folder import EncoderDescription, EncoderFolder
from dermoscope.engine import EngineName, Graph, Precision, available_engines, compile_graph
from dermoscope.features.columns import SPATIAL, Shapes


def title_of(encoder: EncoderDescription) -> str:
    """Name, input and fingerprint on one line."""
    contract = encoder.contract
    return f"{encoder.name} at {contract.size} px, {contract.fit} (fingerprint {encoder.fingerprint})"


def column_shapes(encoder: EncoderDescription) -> Shapes:
    """Shape of every column of one image in one view."""
    channels, side = encoder.maps[-1].channels, encoder.maps[-1].side
    levels = 2 * sum(one.channels for one in encoder.maps)
    return MappingProxyType(
        {
            "mean": (channels,),
            "std": (channels,),
            "max": (channels,),
            "levels": (levels,),
            SPATIAL: (channels, side, side),
        }
    )


def compile_encoder(
    encoder: EncoderFolder, *, engine: EngineName | None = None, precision: Precision = "auto", jobs: int = 1
) -> Graph:
    """The graph, ready for some images at once, each on one thread.

    Raises:
        EngineError: If no engine is installed, or it refuses the graph.
    """
    return compile_graph(encoder.graph, engine=engine, precision=precision, threads=jobs, streams=jobs)


def arithmetic(engine: EngineName | None, precision: Precision) -> str:
    """What `compile_encoder` computes with on this machine, such as `openvino bfloat16`."""
    name = engine or next(iter(available_engines()), None)
    if name != "openvino" or precision == "float32":
        return f"{name} float32"
    import openvino as ov

    has_bfloat16 = "BF16" in ov.Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    return f"{name} {'bfloat16' if has_bfloat16 else 'float32'}"
