"""What mask decoders are trained with: Dice, cross-entropy and focal loss in one sum."""

from __future__ import annotations

from torch import Tensor, nn

from dermoscope.losses.dice import DiceLoss
from dermoscope.losses.mask_cross_entropy import MaskCrossEntropy
from dermoscope.losses.mask_focal import MaskFocalLoss


class MaskLoss(nn.Module):
    """`dice · Dice + cross_entropy · CE + focal · FL`; what has no share is not computed.

    Dice sees the mask as a whole and does not care how large it is; the other two look at each pixel. SAM was trained
    with focal and Dice in the proportion 20 : 1 (arXiv 2304.02643, appendix A).

    Args:
        dice: Share of `dice_loss`.
        cross_entropy: Share of `mask_cross_entropy`.
        focal: Share of `mask_focal_loss`.
        gamma: Its focusing parameter.
        alpha: Its weight of lesion pixels.

    Raises:
        ValueError: If a share is negative or all are zero, or a parameter is out of its range.
    """

    def __init__(
        self,
        dice: float = 1.0,
        cross_entropy: float = 1.0,
        focal: float = 0.0,
        gamma: float = 2.0,
        alpha: float = 0.25,
    ) -> None:
        super().__init__()
        shares = (dice, cross_entropy, focal)
        if not all(share >= 0 for share in shares) or not sum(shares) > 0:
            raise ValueError(f"dice, cross_entropy, focal: give shares of zero or more, one above zero; got {shares}")
        parts: tuple[tuple[float, nn.Module], ...] = (
            (dice, DiceLoss()),
            (cross_entropy, MaskCrossEntropy()),
            (focal, MaskFocalLoss(gamma, alpha)),
        )
        self.shares = tuple(share for share, _ in parts if share)
        self.parts = nn.ModuleList(part for share, part in parts if share)

    def forward(self, logits: Tensor, targets: Tensor) -> Tensor:
        """Loss of logits `[B, h, w]` and targets `[B, h, w]`, 0…1."""
        losses = [share * part(logits, targets) for share, part in zip(self.shares, self.parts, strict=True)]
        total: Tensor = sum(losses[1:], losses[0])
        return total
