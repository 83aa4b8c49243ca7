"""The door: who may come in, by which name and from where; and what every answer tells the browser.

A page of a stranger in the same browser must not be able to use the service: not under a name that resolves to this
machine (DNS rebinding, the Host header), and not by sending a form here (cross-site requests, Origin and
Sec-Fetch-Site). There is no CORS, so that it cannot read answers either.
"""

from __future__ import annotations

import hmac
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import RedirectResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from dermoscope.service.errors import ServiceError, internal_error
from dermoscope.service.observing import LOG
from dermoscope.service.settings import Settings

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "img-src 'self' blob: data:",
        "connect-src 'self'",
        "media-src 'self' blob:",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    )
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
}
_SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})


class Door:
    """ASGI middleware that checks every request, and gives every answer its headers, that of a fault of ours too.

    Args:
        app: What lies behind.
        settings: Names and token.
    """

    def __init__(self, app: ASGIApp, settings: Settings) -> None:
        self._app, self._settings = app, settings
        # Cookies know no ports: two services on one machine need two names.
        self._cookie = f"dermoscope-{settings.port}"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a request in, or answer it here."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self._app(scope, receive, send)
            return  # there are no websockets

        has_started = False

        async def guarded(message: Message) -> None:
            nonlocal has_started
            if message["type"] == "http.response.start":
                has_started = True
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-store")
            await send(message)

        try:
            arrived = self._check(scope)
            await (arrived or self._app)(scope, receive, guarded)
        except ServiceError as error:
            await error.response()(scope, receive, guarded)
        except Exception:
            LOG.exception("a request failed")
            if has_started:  # there is no taking back; the server closes the connection
                raise
            await internal_error().response()(scope, receive, guarded)

    def _check(self, scope: Scope) -> RedirectResponse | None:
        headers = Headers(scope=scope)
        host = headers.get("host", "").lower()
        if not self._settings.answers_to(host):
            raise ServiceError(
                421, "unknown-host", "the service does not answer to that name; use the address it printed at its start"
            )
        if scope["method"] not in _SAFE_METHODS and not _same_origin(headers, host):
            raise ServiceError(
                403, "cross-origin", "the request comes from another site; only the page of this service may send it"
            )
        return self._check_token(scope, headers) if self._settings.token else None

    def _check_token(self, scope: Scope, headers: Headers) -> RedirectResponse | None:
        kind, _, shown = headers.get("authorization", "").partition(" ")
        if kind.lower() == "bearer" and self._is_token(shown):
            return None
        if self._is_token(_cookie(headers, self._cookie)):
            return None
        if scope["path"] == "/" and scope["method"] == "GET":
            in_address = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[0]
            if self._is_token(in_address):
                arrived = RedirectResponse("/", status_code=303)  # so that the token leaves the address bar
                arrived.set_cookie(self._cookie, self._settings.token, httponly=True, samesite="strict", path="/")
                return arrived
        raise ServiceError(
            401,
            "token-needed",
            "open the address with the token that was printed at the start, or send it as Authorization: Bearer",
            {"WWW-Authenticate": "Bearer"},
        )

    def _is_token(self, shown: str) -> bool:
        return hmac.compare_digest(shown.encode(), self._settings.token.encode())


def _same_origin(headers: Headers, host: str) -> bool:
    """Whether no browser says that another site sent this; programs say nothing at all."""
    site, origin = headers.get("sec-fetch-site"), headers.get("origin")
    if site is not None and site not in ("same-origin", "none"):
        return False
    return origin is None or urlsplit(origin).netloc.lower() == host


def _cookie(headers: Headers, name: str) -> str:
    try:
        kept = SimpleCookie(headers.get("cookie", "")).get(name)
    except CookieError:
        return ""
    return kept.value if kept else ""
