"""Of what each architecture is built, as plain numbers. Torch-free: the modules that read them build the networks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Literal

Architecture = Literal["tinyvit-sam", "sam2-hiera", "sam-vit", "timm"]


@dataclass(frozen=True)
class TinyViTShape:
    """TinyViT-5M with the neck of SAM.

    Attributes:
        patch_stride: Pixels per token after the patch embedding, 1 or 4; the embedding map is four times coarser.
    """

    architecture: ClassVar[Architecture] = "tinyvit-sam"
    patch_stride: int


@dataclass(frozen=True)
class HieraShape:
    """Hiera with the feature pyramid of SAM 2; width and heads double from stage to stage.

    Attributes:
        width: Channels of the first stage.
        heads: Attention heads of the first stage.
        blocks: Blocks of each of the four stages.
        global_blocks: Blocks, counted through all stages, that look at the whole image.
        background: Side of the coarse position table in cells.
        windows: Side of the attention windows of each stage in tokens.
    """

    architecture: ClassVar[Architecture] = "sam2-hiera"
    width: int
    heads: int
    blocks: tuple[int, int, int, int]
    global_blocks: tuple[int, ...]
    background: int = 7
    windows: tuple[int, int, int, int] = (8, 4, 14, 7)


@dataclass(frozen=True)
class ViTShape:
    """The plain vision transformer of SAM, patches of 16 pixels.

    Attributes:
        width: Channels of a token.
        depth: Number of layers.
        heads: Attention heads.
        global_layers: Layers that look at the whole image; the others look at windows of 14 tokens.
        table: Side of the learned position table in tokens.
    """

    architecture: ClassVar[Architecture] = "sam-vit"
    width: int
    depth: int
    heads: int
    global_layers: tuple[int, ...]
    table: int = 64


@dataclass(frozen=True)
class TimmShape:
    """A network of the library timm.

    Attributes:
        model: Its name there, without the tag of the weights.
    """

    architecture: ClassVar[Architecture] = "timm"
    model: str


Shape = TinyViTShape | HieraShape | ViTShape | TimmShape
