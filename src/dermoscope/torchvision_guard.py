"""Lets torchvision's Python parts, and so timm and transformers, import on a torch without torchvision's operators.

The torchvision wheel that package indexes serve is built for CUDA; on a CPU-only torch its compiled operators do not
load, and `import torchvision` fails because it registers shape functions for operators that do not exist. Declaring the
two schemas first is enough: nothing here ever calls them. Every module that imports timm, transformers or torchvision
imports this one before.
"""

from __future__ import annotations

import torch

_SCHEMA = "(Tensor dets, Tensor scores, float iou_threshold) -> Tensor"

for _operator in ("torchvision::nms", "torchvision::qnms"):
    # A working torchvision, or an earlier import of this module, has declared them already.
    if not torch._C._dispatch_has_kernel(_operator):
        try:
            torch.library.define(_operator, _SCHEMA)
        except RuntimeError as error:
            if "Tried to register an operator" not in str(error) and "multiple times" not in str(error):
                raise
