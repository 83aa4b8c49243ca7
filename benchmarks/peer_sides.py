"""What a user would run instead, as its authors or any tutorial would write it.

* `timm`: an EfficientNet-Lite0 of timm in eager torch, one image after another: Pillow, resize, normalise, softmax. It
  has random weights, which cost the same, and says nothing of masks, skin, calibration or evidence.
* `sklesion` 0.2.2: Keras' Xception at 254 pixels, with age, sex and site, for HAM10000's seven diagnoses. Install it
  and keras without their dependencies (`pip install --no-deps sklesion keras absl-py namex optree ml_dtypes h5py`);
  Keras computes with torch here. Its own code needs tensorflow and unpickles; the constants below are what it reads.
"""

from __future__ import annotations

import importlib.util
import os
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SKLESION_SIDE, MEAN_AGE, LARGEST_AGE = 254, 51.90180032733224, 90.0
SKLESION_CLASSES = ("AKIEC", "BCC", "BKL", "DF", "MEL", "NV", "VASC")
SEXES = ("female", "male", "unknown")
PLACES = ("arm", "head-or-neck", "leg-or-genital", "trunk", "unknown")
PLACE_OF_SITE = {
    **dict.fromkeys(("upper extremity", "hand"), "arm"),
    **dict.fromkeys(("face", "scalp", "ear", "neck"), "head-or-neck"),
    **dict.fromkeys(("lower extremity", "foot", "genital"), "leg-or-genital"),
    **dict.fromkeys(("back", "trunk", "chest", "abdomen"), "trunk"),
}

Analyze = Callable[[Path, Path | None], dict[str, float]]


def timm_script() -> Analyze:
    """The classification alone."""
    import dermoscope.torchvision_guard  # noqa: F401, I001 - before timm, which imports torchvision
    import timm
    import torch
    from timm.data import create_transform, resolve_model_data_config

    model = timm.create_model("tf_efficientnet_lite0", num_classes=7).eval()
    transform = create_transform(**resolve_model_data_config(model), is_training=False)

    def analyze(path: Path, _mask: Path | None) -> dict[str, float]:
        start = time.perf_counter()
        with torch.inference_mode(), Image.open(path) as opened:
            torch.softmax(model(transform(opened.convert("RGB"))[None]), dim=1)
        return {"whole": (time.perf_counter() - start) * 1e3}

    return analyze


def sklesion_script() -> Analyze:
    """Its classification, age, sex and site unknown, which cost the same."""
    classify = sklesion_classifier()

    def analyze(path: Path, _mask: Path | None) -> dict[str, float]:
        start = time.perf_counter()
        classify(path, None, None, None)
        return {"whole": (time.perf_counter() - start) * 1e3}

    return analyze


def sklesion_classifier() -> Callable[[Path, float | None, str | None, str | None], NDArray[np.float32]]:
    """The installed package's network, fed as its own code feeds it: probabilities `[7]` of `SKLESION_CLASSES`."""
    os.environ["KERAS_BACKEND"] = "torch"
    import keras
    import torch

    found = importlib.util.find_spec("sklesion")
    if found is None or not found.submodule_search_locations:
        raise SystemExit("sklesion is not installed; see benchmarks/peer_sides.py")
    weights = Path(found.submodule_search_locations[0]) / "model.keras"
    model = keras.models.load_model(weights, compile=False)

    def classify(path: Path, age: float | None, sex: str | None, site: str | None) -> NDArray[np.float32]:
        with Image.open(path) as opened:
            # tf.image.resize: bilinear without antialiasing.
            pixels = torch.from_numpy(np.asarray(opened.convert("RGB"), np.float32)).permute(2, 0, 1)[None]
        side = (SKLESION_SIDE, SKLESION_SIDE)
        image = torch.nn.functional.interpolate(pixels, side, mode="bilinear", align_corners=False).permute(0, 2, 3, 1)
        known = np.zeros(10, np.float32)
        known[SEXES.index(sex if sex in SEXES else "unknown")] = 1
        known[3 + PLACES.index(PLACE_OF_SITE.get(site or "", "unknown"))] = 1
        known[8], known[9] = (MEAN_AGE if age is None else age) / LARGEST_AGE, age is None
        with torch.inference_mode():
            answer = model([image, torch.from_numpy(known)[None]], training=False)
        return np.asarray(answer[0].cpu().numpy(), np.float32)

    return classify
