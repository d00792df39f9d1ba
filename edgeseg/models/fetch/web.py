"""HTTP for downloads: http(s) only, bounded waits, and errors in two kinds.

`Refused` means that asking again is no use, `Interrupted` that it may be.
Proxies (`https_proxy`, `no_proxy`) and certificates (`SSL_CERT_FILE`) of the
environment are honoured.
"""

from __future__ import annotations

import base64
import contextlib
import http.client
import re
import ssl
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from http.client import HTTPMessage, HTTPResponse
from typing import IO

from edgeseg.errors import DownloadError

TRY_AGAIN = frozenset({408, 425, 429, 500, 502, 503, 504})
"""HTTP answers that may be better the next time."""


class Refused(Exception):  # noqa: N818 - never leaves this package
    """An address does not have the file; trying again is no use."""


class Interrupted(Exception):  # noqa: N818 - never leaves this package
    """An address failed this time."""


class Web:
    """Opens http(s) addresses; any other scheme is refused, also after a redirect."""

    def __init__(self, *, proxy: str | None = None, cert_file: str | None = None) -> None:
        """Use `proxy` and `cert_file`, or what the environment says.

        Raises DownloadError for a certificate file that cannot be read.
        """
        try:
            context = ssl.create_default_context(cafile=cert_file)
        except OSError as error:
            raise DownloadError(f"certificates {cert_file}: {error}") from error
        self._opener = urllib.request.OpenerDirector()
        for handler in (
            urllib.request.ProxyHandler({"http": proxy, "https": proxy} if proxy else None),
            urllib.request.HTTPHandler(),
            urllib.request.HTTPSHandler(context=context),
            urllib.request.HTTPDefaultErrorHandler(),
            urllib.request.HTTPErrorProcessor(),
            urllib.request.UnknownHandler(),
            _Redirects(),
        ):
            self._opener.add_handler(handler)

    @contextlib.contextmanager
    def get(
        self, url: str, *, silence_s: float, headers: dict[str, str] | None = None
    ) -> Iterator[HTTPResponse]:
        """Open `url`; no wait for the connection or a byte exceeds `silence_s`.

        Raises Refused and Interrupted.
        """
        with network_errors():
            response = self._opener.open(_request(url, headers or {}), timeout=silence_s)
        if not isinstance(response, HTTPResponse):
            raise Refused("gave no answer that HTTP knows")
        with response:
            yield response


@contextlib.contextmanager
def network_errors() -> Iterator[None]:
    """Turn what urllib, http.client, ssl and sockets raise into Refused or Interrupted."""
    try:
        yield
    except urllib.error.HTTPError as error:
        error.close()
        kind = Interrupted if error.code in TRY_AGAIN else Refused
        raise kind(f"HTTP {error.code} {error.msg}") from error
    except urllib.error.URLError as error:
        raise _of_reason(error.reason) from error
    except (http.client.HTTPException, ValueError) as error:
        # ValueError: an address or a header that http.client cannot read.
        dropped = isinstance(error, http.client.IncompleteRead)
        raise (Interrupted if dropped else Refused)(f"{type(error).__name__}: {error}") from error
    except OSError as error:
        raise _of_reason(error) from error


def _of_reason(reason: object) -> Refused | Interrupted:
    if isinstance(reason, ssl.SSLCertVerificationError):
        return Refused(
            f"its certificate does not verify ({reason.verify_message}); "
            "behind a company proxy, set SSL_CERT_FILE"
        )
    if isinstance(reason, TimeoutError):
        return Interrupted("no answer in time")
    if isinstance(reason, OSError):
        return Interrupted(reason.strerror or str(reason) or type(reason).__name__)
    return Refused(str(reason))


class _Redirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects to http(s), but never from https back to http."""

    # Python 3.10 does not know 308.
    http_error_308 = urllib.request.HTTPRedirectHandler.http_error_302

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,  # noqa: ARG002
        msg: str,  # noqa: ARG002
        headers: HTTPMessage,  # noqa: ARG002
        newurl: str,
    ) -> urllib.request.Request:
        # Before anyone reads the body of a redirect, which may be endless.
        fp.close()
        scheme = urllib.parse.urlsplit(newurl).scheme
        if scheme not in ("http", "https") or (req.type == "https" and scheme == "http"):
            raise Refused(f"redirects from {req.type} to {scheme}, which is not followed")
        # Only `headers` travel on: a password is an unredirected header.
        return _request(newurl, dict(req.headers))


def _request(url: str, headers: dict[str, str]) -> urllib.request.Request:
    """Ask for `url`; a user name and password in it go to that host only."""
    parts = urllib.parse.urlsplit(url)
    if parts.scheme not in ("http", "https"):
        raise Refused("is no http(s) address")
    bare = parts._replace(netloc=parts.netloc.rpartition("@")[2], fragment="").geturl()
    # One host of the original weights turns Python's own User-Agent away.
    request = urllib.request.Request(
        bare, headers={"User-Agent": "edgeseg", "Accept-Encoding": "identity", **headers}
    )
    if parts.username is not None:
        user = urllib.parse.unquote(parts.username)
        password = urllib.parse.unquote(parts.password or "")
        token = base64.b64encode(f"{user}:{password}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {token}")
    return request


def shown_url(url: str) -> str:
    """Give an address, which may be a broken one, without user name and password."""
    return re.sub(r"//[^/?#]*@", "//", url)
