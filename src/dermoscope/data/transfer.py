"""One file over HTTP, in as many goes as it takes: what has arrived stays, and the next go asks for the rest."""

from __future__ import annotations

import http.client
import json
import os
import re
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from pathlib import Path
from typing import IO, cast
from urllib.parse import urlsplit

from dermoscope.data.remote import DownloadError, is_safe_address

_CHUNK = 2**20
_TIMEOUT_SECONDS = 60.0
_TRIES = 5
_PROXY_VARIABLES = ("HTTPS_PROXY", "HTTP_PROXY", "ALL_PROXY", "NO_PROXY")


class _BrokenError(Exception):
    """The connection broke, which another go may mend."""


class _HttpsOnly(urllib.request.HTTPRedirectHandler):
    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: http.client.HTTPMessage,
        newurl: str,
    ) -> urllib.request.Request | None:
        if not is_safe_address(newurl):
            fp.close()
            raise DownloadError(
                f"{req.full_url} leads to {newurl}, which is not https; nothing was downloaded from there"
            )
        return super().redirect_request(req, fp, code, msg, headers, newurl)


@dataclass(frozen=True)
class ResumableDownloader:
    """A downloader for pooch that goes on where an earlier one stopped.

    What has arrived lies in `part`, and beside it, ending in `.json`, which version of the file it is (its entity tag
    or date). The rest is asked for with `Range` and `If-Range` (RFC 9110, sections 13.1.5 and 14.2), so that a file
    that has changed on the server, and a server that knows no ranges, both start over.

    Attributes:
        part: File that collects what arrives, in the folder of the final file.
        advice: The way out for whoever cannot reach the address; ends the message.
        on_progress: Called with bytes so far and in all; the latter is 0 where the server does not say.
        pause: Sleeps between two goes.
    """

    part: Path
    advice: str
    on_progress: Callable[[int, int], None] = lambda _done, _total: None
    pause: Callable[[float], None] = time.sleep

    def __call__(self, url: str, output_file: str, pooch: object) -> None:  # noqa: ARG002 - pooch's protocol
        """Fetch `url` into `output_file`, a path in the same folder as `part`.

        Raises:
            DownloadError: If it cannot be had now; what has arrived is kept.
        """
        broken = 0
        received = False
        while True:
            before = self._arrived()
            try:
                self._go(url)
                break
            except _BrokenError as error:
                grown = self._arrived() > before
                received = received or grown
                broken = 1 if grown else broken + 1
                # Where nothing has come at all, the network is not shaky but absent: say so at once.
                if broken == _TRIES or not received:
                    raise DownloadError(self._unreachable(url, str(error))) from error
                self.pause(2.0**broken)
            except OSError as error:
                raise DownloadError(
                    f"{self.part}: cannot be written: {error.strerror or error}; what has arrived is kept, "
                    "run the same command again once that is mended"
                ) from error
        self.part.replace(output_file)
        self._version_file.unlink(missing_ok=True)

    @property
    def _version_file(self) -> Path:
        return self.part.with_name(f"{self.part.name}.json")

    def _arrived(self) -> int:
        return self.part.stat().st_size if self.part.is_file() else 0

    def _go(self, url: str) -> None:
        version, total = self._known_of_part(url)
        offset = self._arrived() if version else 0
        if total and self._arrived() == total:
            return
        request = urllib.request.Request(url, headers={"Accept-Encoding": "identity", "User-Agent": "dermoscope"})
        if offset:
            request.add_header("Range", f"bytes={offset}-")
            request.add_header("If-Range", version)
        response = self._open(url, request)
        with response:
            start, total = _span(response, offset)
            _refuse_web_page(url, response.headers, self.part.name)
            self._check_space(url, total - start)
            known = {"address": url, "version": _version(response.headers), "total": total}
            self._version_file.write_text(json.dumps(known))
            self._receive(response, start, total)
        if total and self._arrived() != total:
            raise _BrokenError(f"the connection ended after {self._arrived():,} of {total:,} bytes")

    def _open(self, url: str, request: urllib.request.Request) -> http.client.HTTPResponse:
        opener = urllib.request.build_opener(_HttpsOnly)
        try:
            return cast(http.client.HTTPResponse, opener.open(request, timeout=_TIMEOUT_SECONDS))
        except urllib.error.HTTPError as error:
            with error:
                if error.code == 416 and request.has_header("Range"):  # the file is shorter now than what has come
                    self._version_file.unlink()
                    return self._open(url, urllib.request.Request(url, headers=_without_range(request)))
                if error.code == 429 or error.code >= 500:
                    raise _BrokenError(f"the server answers {error.code} {error.reason}") from error
                raise DownloadError(
                    f"{url} answers {error.code} {error.reason}: the file has moved or may not be fetched like this; "
                    f"{self.advice}"
                ) from error
        except urllib.error.URLError as error:
            raise _BrokenError(_words(error.reason)) from error
        except (http.client.HTTPException, TimeoutError, ConnectionError) as error:
            raise _BrokenError(_words(error)) from error

    def _receive(self, response: http.client.HTTPResponse, start: int, total: int) -> None:
        with self.part.open("r+b" if start else "wb") as stream:
            stream.seek(start)
            stream.truncate()
            while chunk := _read(response):
                stream.write(chunk)
                self.on_progress(stream.tell(), total)
                if total and stream.tell() > total:
                    raise _BrokenError(f"the server sent more than the {total:,} bytes it announced")
            stream.flush()
            os.fsync(stream.fileno())

    def _known_of_part(self, url: str) -> tuple[str, int]:
        """Which version of the file the part belongs to, and the size of the whole file; empty and 0 if unknown."""
        try:
            state = json.loads(self._version_file.read_text())
            if state["address"] == url and self.part.is_file():
                return str(state["version"]), int(state["total"])
        except (OSError, ValueError, KeyError, TypeError):
            pass  # without it the download starts over
        return "", 0

    def _check_space(self, url: str, missing: int) -> None:
        free = shutil.disk_usage(self.part.parent).free
        if missing > free:
            raise DownloadError(
                f"{self.part.parent}: {size_text(missing)} of {url} are still to come, but only {size_text(free)} are "
                "free; free some space or choose another folder"
            )

    def _unreachable(self, url: str, reason: str) -> str:
        kept = f"; {size_text(self._arrived())} are kept for the next go" if self._arrived() else ""
        return f"cannot download {url}: {reason} (proxy variables: {proxy_variables()}){kept}; {self.advice}"


def proxy_variables() -> str:
    """The proxy settings in the environment, for a message: names and values, without user names and passwords."""
    seen = []
    for name in _PROXY_VARIABLES:
        for variable in dict.fromkeys((name.lower(), name)):
            if value := os.environ.get(variable):
                seen.append(f"{variable}={_without_login(value)}")
    return ", ".join(seen) or "none set"


def size_text(count: float) -> str:
    """A number of bytes for a person, such as `1.4 GB`."""
    for unit, factor in (("GB", 1e9), ("MB", 1e6), ("kB", 1e3)):
        if count >= factor:
            return f"{count / factor:,.1f} {unit}"
    return f"{count:,.0f} bytes"


def _without_range(request: urllib.request.Request) -> dict[str, str]:
    return {name: value for name, value in request.header_items() if name.lower() not in ("range", "if-range")}


def _without_login(address: str) -> str:
    return re.sub(r"^((?:[^/@]*://)?)[^/]*@", r"\1…@", address)


def _span(response: http.client.HTTPResponse, offset: int) -> tuple[int, int]:
    """Where the body starts in the file, and the size of the whole file, 0 if unknown."""
    length = int(response.headers.get("Content-Length") or 0)
    if response.status != http.client.PARTIAL_CONTENT:
        return 0, length
    found = re.fullmatch(r"bytes (\d+)-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if not found or int(found[1]) != offset:
        raise _BrokenError("the server sent another part of the file than was asked for")
    return offset, int(found[2])


def _version(headers: Message) -> str:
    """What `If-Range` may be given: a strong entity tag, else the date of the last change."""
    tag = headers.get("ETag", "")
    return tag if tag.startswith('"') else headers.get("Last-Modified", "")


def _refuse_web_page(url: str, headers: Message, name: str) -> None:
    if headers.get_content_type() == "text/html" and not name.removesuffix(".part").endswith((".html", ".htm")):
        raise DownloadError(
            f"{urlsplit(url).hostname} answers {url} with a web page instead of the file: a login page of the network, "
            "or the file has moved; open the address in a browser"
        )


def _read(response: http.client.HTTPResponse) -> bytes:
    try:
        return response.read(_CHUNK)
    except (OSError, http.client.HTTPException) as error:
        raise _BrokenError(_words(error)) from error


def _words(reason: object) -> str:
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    if isinstance(reason, TimeoutError):
        return "no answer in time"
    return " ".join(str(reason).split()) or type(reason).__name__
