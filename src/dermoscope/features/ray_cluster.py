"""A connection to a Ray cluster, one that runs or one of its own on this machine, and cores of it for actors."""

from __future__ import annotations

import logging
import os
from typing import Any

from dermoscope.features.errors import CoresError, StoreError

RESERVE_SECONDS = 60
"""How long busy cores of a cluster are waited for."""
GROW_SECONDS = 600
"""How long a cluster with too few cores may take to grow: that of an autoscaler starts machines for what waits."""
ADDRESS_VARIABLE = "RAY_ADDRESS"
"""Environment variable that names a running cluster where `--address` does not, as for every program of Ray."""

_OBJECT_STORE_BYTES = 512 * 2**20
_STARTED_HERE = "dermoscope_started_here"
"""A resource that marks a cluster of our own, which never grows."""

_LOG = logging.getLogger(__name__)


def connect(address: str | None, jobs: int) -> None:
    """Connect this process, if it is not connected yet.

    Args:
        address: Of a running cluster, such as `auto` or `ray://head:10001`; if none is named here or by `RAY_ADDRESS`,
            one is started on this machine.
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
    address = _named(address)
    if not ray.is_initialized():
        try:
            if address is None:
                ray.init(
                    address="local",  # or it would join one that happens to run here
                    num_cpus=jobs,
                    resources={_STARTED_HERE: 1},
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


def free_cores(address: str | None) -> int | None:
    """How many cores of a running cluster nobody uses now, at least one; none where one is to be started here.

    Args:
        address: See `connect`, which it does.

    Raises:
        StoreError: If Ray is missing or the cluster cannot be reached.
    """
    if _named(address) is None:
        return None
    connect(address, 1)
    return max(_free(), 1)


def reserve(jobs: int) -> Any:
    """Cores of the connected cluster, one for each actor, as a placement group of Ray.

    They come all at once or not at all, so that two programs never wait for the other half of each other's.

    Args:
        jobs: How many.

    Raises:
        CoresError: If the cluster has not as many and does not get them within `GROW_SECONDS`, or they stay busy for
            `RESERVE_SECONDS`.
    """
    from ray.util.placement_group import placement_group, remove_placement_group

    too_few, seconds = f"the Ray cluster has too few CPUs for {jobs} at once", RESERVE_SECONDS
    if jobs > (cores := _in_all("CPU")):
        if _in_all(_STARTED_HERE):
            raise CoresError(f"{too_few}: {cores} in all, as it was started here")
        seconds = GROW_SECONDS
        _LOG.warning("%s: %d in all; it may grow, which is waited for up to %d seconds", too_few, cores, seconds)
    group = placement_group([{"CPU": 1}] * jobs, strategy="SPREAD")
    if not group.wait(seconds):
        remove_placement_group(group)
        raise CoresError(
            f"{too_few}: {_in_all('CPU')} in all, {_free()} of them free after {seconds} seconds of waiting. "
            "Take fewer, or wait until other programs are done"
        )
    return group


def release(group: Any) -> None:
    """Give reserved cores back; actors on them end."""
    from ray.util.placement_group import remove_placement_group

    remove_placement_group(group)


def placed_on(group: Any) -> Any:
    """The scheduling strategy of actors that are to take reserved cores."""
    from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

    return PlacementGroupSchedulingStrategy(group)


def _named(address: str | None) -> str | None:
    return address or os.environ.get(ADDRESS_VARIABLE) or None


def _in_all(resource: str) -> int:
    import ray

    return int(ray.cluster_resources().get(resource, 0))  # type: ignore[no-untyped-call]


def _free() -> int:
    import ray

    return int(ray.available_resources().get("CPU", 0))  # type: ignore[no-untyped-call]
