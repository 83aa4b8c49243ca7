"""A connection to a Ray cluster: one that runs, or one of its own on this machine."""

from __future__ import annotations

import logging
import os

from dermoscope.features.errors import StoreError

_OBJECT_STORE_BYTES = 512 * 2**20


def connect(address: str | None, jobs: int) -> None:
    """Connect this process, if it is not connected yet.

    Args:
        address: Of a running cluster, such as `auto` or `ray://head:10001`; none starts one on this machine.
        jobs: Cores of the one that is started.

    Raises:
        StoreError: If Ray is missing or the cluster cannot be reached.
    """
    os.environ["RAY_USAGE_STATS_ENABLED"] = "0"  # Ray reports its use over the network unless told not to
    try:
        import ray
        import ray.data
    except ModuleNotFoundError as error:
        raise StoreError(f'{error.name} is not installed; run: pip install "dermoscope[ray]"') from error
    if not ray.is_initialized():
        try:
            if address is None:
                ray.init(
                    num_cpus=jobs,
                    include_dashboard=False,
                    object_store_memory=_OBJECT_STORE_BYTES,
                    logging_level=logging.ERROR,
                )
            else:
                ray.init(address=address, logging_level=logging.ERROR)
        except (ConnectionError, RuntimeError, ValueError) as error:
            raise StoreError(f"--address: no Ray cluster answers at {address or 'this machine'}: {error}") from error
    context = ray.data.DataContext.get_current()
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
