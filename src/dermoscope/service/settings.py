"""What a running service is told once, at its start."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass, field

MEGABYTE = 2**20


@dataclass(frozen=True)
class Limits:
    """How much one service takes on.

    Attributes:
        file_bytes: Of one upload.
        files: In one request.
        body_bytes: Of one request, all its files together.
        upload_seconds: For a body to arrive.
        request_seconds: For the answer, from the moment that the body is complete.
        workers: Images computed at once.
        queue: Requests that may wait for a worker, those still uploading included.
        kept_images: Images kept behind the encoder for clicks.
        kept_bytes: Of all kept images together.
        kept_seconds: Without a request, after which a kept image is dropped.
        stop_seconds: For what is in work when the service is stopped.
    """

    file_bytes: int = 25 * MEGABYTE
    files: int = 64
    body_bytes: int = 200 * MEGABYTE
    upload_seconds: float = 60.0
    request_seconds: float = 60.0
    workers: int = 2
    queue: int = 16
    kept_images: int = 32
    kept_bytes: int = 1024 * MEGABYTE
    kept_seconds: float = 600.0
    stop_seconds: float = 30.0


@dataclass(frozen=True)
class Settings:
    """Where a service listens, for whom, and within which limits.

    Attributes:
        host: Address that it listens on.
        port: Port that it listens on.
        names: Further names by which browsers may call it.
        token: What a client has to show; empty for none, which only a loopback address may have.
        limits: How much it takes on.
    """

    host: str = "127.0.0.1"
    port: int = 8008
    names: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.token and not is_loopback(self.host):
            raise ValueError(f"host {self.host}: other machines can reach it, so it needs a token")

    @property
    def served_names(self) -> frozenset[str]:
        """Values of the Host header that are answered, in lower case: against DNS rebinding."""
        own = {"localhost", "127.0.0.1", "[::1]"} if is_loopback(self.host) else {_as_host(self.host)}
        hosts = {name.lower() for name in (*own, *self.names)}
        return frozenset(hosts | {f"{name}:{self.port}" for name in hosts})


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _as_host(address: str) -> str:
    """An address as it stands in a URL."""
    return f"[{address}]" if ":" in address else address
