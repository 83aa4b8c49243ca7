from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.parametrize(
    "program",
    [
        "import dermoscope.torchvision_guard, timm, transformers.models.sam.modeling_sam",
        # Imported again under another name, when the operators exist already.
        "import dermoscope.torchvision_guard, runpy; runpy.run_module('dermoscope.torchvision_guard')",
    ],
)
def test_timm_and_transformers_import(program: str) -> None:
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
