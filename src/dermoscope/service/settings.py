"""What a running service is told once, at its start."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

MEGABYTE = 2**20
LEAST_TOKEN = 16
"""Shortest token, in characters."""

_HOST = re.compile(r"(\[[0-9a-f:.]+\]|[a-z0-9._-]+)(?::[0-9]{1,5})?")


@dataclass(frozen=True)
class Limits:
    """How much one service takes on.

    Attributes:
        file_bytes: Of one upload.
        files: In one request.
        body_bytes: Of one request, all its files together.
        json_bytes: Of one request in JSON.
        upload_seconds: For a body to arrive.
        work_seconds: For one image or one change of it, waiting included.
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
    json_bytes: int = MEGABYTE
    upload_seconds: float = 60.0
    work_seconds: float = 60.0
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
        names: Further names by which browsers may call it, such as that of a proxy before it.
        token: What a client has to show; empty for none, which only a loopback address may have.
        limits: How much it takes on.

    Raises:
        ValueError: If other machines can reach the address and there is no token, or the token is too short.
    """

    host: str = "127.0.0.1"
    port: int = 8008
    names: tuple[str, ...] = ()
    token: str = field(default="", repr=False)
    limits: Limits = field(default_factory=Limits)

    def __post_init__(self) -> None:
        if not self.token and not is_loopback(self.host):
            raise ValueError(f"host {self.host}: other machines can reach it, so it needs a token")
        if self.token and not re.fullmatch(rf"[A-Za-z0-9._~-]{{{LEAST_TOKEN},}}", self.token):
            raise ValueError(f"token: needs at least {LEAST_TOKEN} letters, digits or . _ ~ -, and nothing else")

    @property
    def address(self) -> str:
        """Where a browser on this machine finds the page."""
        host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.host, self.host)
        return f"http://{f'[{host}]' if ':' in host else host}:{self.port}/"

    def answers_to(self, host: str) -> bool:
        """Whether a Host header names this service.

        DNS rebinding needs a name, so every plain address is fine; of names, only those that were told are.

        Args:
            host: Name or address, with or without a port.
        """
        parts = _HOST.fullmatch(host.lower())
        if parts is None:
            return False
        name = parts[1].strip("[]")
        return name in {"localhost", self.host.lower(), *(known.lower() for known in self.names)} or _is_address(name)


def is_loopback(host: str) -> bool:
    """Whether an address can be reached from this machine alone."""
    return host == "localhost" or (_is_address(host) and ipaddress.ip_address(host).is_loopback)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
