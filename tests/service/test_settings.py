from __future__ import annotations

import pytest

from dermoscope.service.settings import Settings, is_loopback

TOKEN = "a-token-of-some-length"


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.168.1.5", "example.org", ""])
def test_what_others_can_reach_needs_a_token(host: str) -> None:
    with pytest.raises(ValueError, match="needs a token"):
        Settings(host=host)
    assert Settings(host=host, token=TOKEN).token == TOKEN


@pytest.mark.parametrize(
    "token", ["short", "with space and more", "ünïcödé-ünïcödé-ü", 'quote"quote"quote"', "line\n" * 5]
)
def test_a_token_is_long_and_plain(token: str) -> None:
    with pytest.raises(ValueError, match="at least 16 letters, digits"):
        Settings(token=token)


def test_a_token_is_never_shown() -> None:
    assert TOKEN not in repr(Settings(token=TOKEN))


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        ("localhost", True),
        ("0.0.0.0", False),
        ("10.0.0.1", False),
    ],
)
def test_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) == loopback


def test_a_proxy_has_a_name() -> None:
    settings = Settings(host="0.0.0.0", names=("Derma.example",), token=TOKEN)
    assert settings.answers_to("derma.example")
    assert settings.answers_to("derma.example:443")
    assert settings.answers_to("192.168.1.5:8008")
    assert not settings.answers_to("other.example")


def test_the_address_is_one_that_a_browser_can_open() -> None:
    assert Settings().address == "http://127.0.0.1:8008/"
    assert Settings(host="::1", port=80).address == "http://[::1]:80/"
    assert Settings(host="0.0.0.0", token=TOKEN).address == "http://127.0.0.1:8008/"
