"""What the heads read: means over what shows image, and the same from maps of every resolution."""

from __future__ import annotations

import torch
from torch import Tensor

from dermoscope.encoders.image_encoder import ImageEncoder
from dermoscope.encoders.summaries import EncoderWithSummaries, embedding_mean, map_statistics


def test_embedding_mean() -> None:
    embedding = torch.arange(8.0).reshape(1, 2, 2, 2)
    weights = torch.tensor([[[[0.5, 0.25], [0.25, 0.0]]]])
    assert embedding_mean(embedding, weights).tolist() == [[0.75, 4.75]]


def test_map_statistics_are_mean_and_deviation_over_what_shows_image() -> None:
    torch.manual_seed(0)
    fine, coarse = torch.rand(1, 3, 8, 8), torch.rand(1, 2, 4, 4)
    weights = torch.zeros(1, 1, 4, 4)
    weights[..., :2, :3] = 1 / 6
    seen = [fine[0, :, :4, :6].flatten(1), coarse[0, :, :2, :3].flatten(1)]
    expected = torch.cat([torch.cat([one.mean(1), one.std(1, correction=0)]) for one in seen])
    torch.testing.assert_close(map_statistics((fine, coarse), weights)[0], expected, atol=1e-4, rtol=1e-4)


def test_a_map_coarser_than_the_weights_is_weighted_by_the_share_of_each_cell() -> None:
    coarse = torch.tensor([[[[1.0, 2.0], [4.0, 8.0]]]])
    weights = torch.zeros(1, 1, 4, 4)
    weights[..., :1, :3] = 1 / 3  # two cells of the upper left quarter, one of the upper right
    expected = 1.0 * 2 / 3 + 2.0 * 1 / 3
    torch.testing.assert_close(map_statistics([coarse], weights)[0, 0], torch.tensor(expected))


class Ramp(ImageEncoder):
    def maps(self, images: Tensor) -> tuple[Tensor, ...]:
        return images, images[:, :, ::2, ::2] * 2


def test_the_encoder_with_summaries_gives_all_three() -> None:
    image, weights = torch.rand(2, 3, 8, 8), torch.full((2, 1, 4, 4), 1 / 16)
    embedding, feature, statistics = EncoderWithSummaries(Ramp())(image, weights)
    assert torch.equal(embedding, Ramp()(image))
    assert torch.equal(feature, embedding_mean(embedding, weights))
    assert statistics.shape == (2, 2 * (3 + 3))
    torch.testing.assert_close(statistics[:, 6:9], feature)
