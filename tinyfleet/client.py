"""A client of the server's HTTP API, for the command line."""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import httpx

from wire.errors import AccessError, FleetError, InputError, LinkError, NotFoundError, RefusedError
from wire.manifest import MANIFEST_FILE, SIGNATURE_FILE, decode_manifest

DEFAULT_URL: Final = "http://127.0.0.1:8080"
_FAMILIES: Final[dict[int, type[FleetError]]] = {
    400: InputError,
    401: AccessError,
    404: NotFoundError,
    409: RefusedError,
    422: RefusedError,
    503: LinkError,
}


class Client:
    """Calls routes under ``/api/v1``; the server's error bodies become our error families."""

    def __init__(self, url: str, token: str) -> None:
        self._url = url
        self._http = httpx.Client(
            base_url=f"{url}/api/v1",
            headers={"Authorization": f"Bearer {token}"},
            timeout=30,
            # The server closes a connection after five idle seconds: a request must not cross that.
            limits=httpx.Limits(keepalive_expiry=2.0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close its connections."""
        self._http.close()

    def get(self, path: str, **query: str | int) -> Any:
        """Decoded body of a GET."""
        return self._call("GET", path, params=query)

    def post(self, path: str, body: object = None) -> Any:
        """Decoded body of a POST with a JSON body."""
        return self._call("POST", path, json=body)

    def put(self, path: str, body: object) -> Any:
        """Decoded body of a PUT with a JSON body."""
        return self._call("PUT", path, json=body)

    def push(self, bundle: Path) -> Any:
        """Send a bundle directory to the registry."""
        try:
            manifest = (bundle / MANIFEST_FILE).read_text("utf-8")
            signature = (bundle / SIGNATURE_FILE).read_text("utf-8")
            paths = [entry.path for entry in decode_manifest(manifest.encode()).files]
            files = [("files", (path, (bundle / path).read_bytes())) for path in paths]
        except OSError as error:
            raise InputError(
                "no_bundle",
                f"{bundle} is not a bundle: cannot read {error.filename}",
                "make one: tinyfleet convert",
            ) from error
        return self._call(
            "POST", "/bundles", data={"manifest": manifest, "signature": signature}, files=files
        )

    def file(self, digest: str, path: str) -> bytes:
        """One file of a bundle in the registry."""
        return self._answer("GET", f"/bundles/{digest}/files/{path}").content

    def _call(self, method: str, path: str, **arguments: Any) -> Any:
        return self._answer(method, path, **arguments).json()

    def _answer(self, method: str, path: str, **arguments: Any) -> httpx.Response:
        try:
            response = self._http.request(method, path, **arguments)
        except httpx.HTTPError as error:
            raise LinkError(
                "no_server", f"cannot reach {self._url}: {error}", "start it: tinyfleet serve"
            ) from error
        if response.is_success:
            return response
        try:
            body = response.json()
            family = _FAMILIES.get(response.status_code, FleetError)
            raise family(body["code"], body["message"], body["hint"])
        except (ValueError, KeyError, TypeError) as error:
            raise FleetError(
                "http", f"{self._url} answers {response.status_code}", "is it tinyfleet?"
            ) from error


def connect(url: str | None, token_file: Path | None) -> Client:
    """A client for the server at ``url``, with the token from the environment or a file.

    ``TINYFLEET_TOKEN`` comes first, then ``token_file``, then ``tinyfleet-data/admin.token``.
    """
    token = os.environ.get("TINYFLEET_TOKEN")
    path = token_file or Path("tinyfleet-data/admin.token")
    if token is None:
        try:
            token = path.read_text("utf-8").strip()
        except OSError as error:
            raise AccessError(
                "no_token", f"cannot read the token in {path}", "set TINYFLEET_TOKEN or give --token-file"
            ) from error
    return Client((url or os.environ.get("TINYFLEET_URL") or DEFAULT_URL).rstrip("/"), token)
