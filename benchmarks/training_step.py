"""What keeping freed memory saves a training: steps of a network with class activation maps, with it and without.

    python benchmarks/training_step.py --json out.json

Each side runs in processes of its own, which take turns; random images and labels, one thread.
"""

from __future__ import annotations

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

SIDES = ("as the system has it", "kept")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--backbone", default="tf_efficientnet_lite0")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--batch", type=int, default=32)
    parser.add_argument("--frozen-stages", type=int, default=4)
    parser.add_argument("--steps", type=int, default=12)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--side", choices=SIDES, help="measure this one here, for the processes behind a run")
    arguments = parser.parse_args()
    if arguments.side:
        print(json.dumps(measured(arguments)))
        return
    found: dict[str, list[dict[str, float]]] = {side: [] for side in SIDES}
    for _ in range(arguments.rounds):
        for side in SIDES:
            done = subprocess.run(
                [sys.executable, __file__, *sys.argv[1:], "--side", side], check=True, capture_output=True, text=True
            )
            found[side].append(json.loads(done.stdout.splitlines()[-1]))
    medians = {
        side: {name: round(float(np.median([run[name] for run in runs])), 2) for name in runs[0]}
        for side, runs in found.items()
    }
    print(json.dumps(medians, indent=1))
    if arguments.json:
        arguments.json.write_text(f"{json.dumps(medians, indent=1)}\n")


def measured(arguments: argparse.Namespace) -> dict[str, float]:
    """Images a second of processor time, page faults a step, and the peak of memory."""
    import torch

    from dermoscope.camnet.network import CAMNetwork
    from dermoscope.training.large_buffers import keep_large_buffers

    if arguments.side == "kept":
        keep_large_buffers()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = CAMNetwork(arguments.backbone, 7, frozen_stages=arguments.frozen_stages).train()
    images = torch.rand(arguments.batch, 3, arguments.size, arguments.size)
    labels = torch.randint(0, 7, (arguments.batch,))
    optimiser = torch.optim.AdamW([one for one in network.parameters() if one.requires_grad], 1e-3)
    seconds, faults = [], []
    for _ in range(arguments.steps):
        start, before = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        loss = torch.nn.functional.cross_entropy(network(images).logits, labels)
        optimiser.zero_grad(set_to_none=True)
        loss.backward()
        optimiser.step()
        seconds.append(time.process_time() - start)
        faults.append(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
    return {
        "images a second": arguments.batch / float(np.median(seconds[2:])),
        "page faults a step": float(np.median(faults[2:])),
        "peak of memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3,
    }


if __name__ == "__main__":
    main()
