"""A store of objects on this machine that speaks as much S3 as reading tables needs."""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, unquote, urlsplit
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from collections.abc import Iterator


class ObjectStore:
    """The objects of one bucket by key, and the requests that were made."""

    bucket = "tables"

    def __init__(self, port: int) -> None:
        self.objects: dict[str, bytes] = {}
        self.requests: list[str] = []
        self._query = f"endpoint_override=127.0.0.1:{port}&scheme=http&region=us-east-1"

    def uri(self, key: str, bucket: str = bucket) -> str:
        """The URI of a key, a folder or a pattern."""
        return f"s3://{bucket}/{key}?{self._query}"


@contextmanager
def serve_objects() -> Iterator[ObjectStore]:
    """Start a store on a free port of this machine."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.store = store = ObjectStore(server.server_port)  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield store
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1  # header and content in one packet; two wait for each other

    def log_message(self, *_: object) -> None:
        """Print nothing."""

    def do_HEAD(self) -> None:
        self._answer()

    def do_GET(self) -> None:
        self._answer()

    def _answer(self) -> None:
        store: ObjectStore = self.server.store  # type: ignore[attr-defined]
        store.requests.append(f"{self.command} {self.path}")
        parts = urlsplit(self.path)
        bucket, _, key = unquote(parts.path).lstrip("/").partition("/")
        if bucket != store.bucket:
            self._send(404, _error("NoSuchBucket"))
        elif not key:
            self._send(200, _list(store.objects, parse_qs(parts.query)))
        elif key not in store.objects:
            self._send(404, _error("NoSuchKey"))
        else:
            self._send_object(store.objects[key])

    def _send_object(self, content: bytes) -> None:
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if match is None:
            self._send(200, content)
            return
        start, end = int(match[1]), min(int(match[2]), len(content) - 1)
        self._send(206, content[start : end + 1], f"bytes {start}-{end}/{len(content)}")

    def _send(self, status: int, content: bytes, content_range: str = "") -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.send_header("Last-Modified", "Thu, 01 Jan 2026 00:00:00 GMT")
        self.send_header("ETag", '"1"')
        if content_range:
            self.send_header("Content-Range", content_range)
        self.end_headers()
        if self.command == "GET":
            self.wfile.write(content)


def _error(code: str) -> bytes:
    return f"<Error><Code>{code}</Code><Message>{code}</Message></Error>".encode()


def _list(objects: dict[str, bytes], query: dict[str, list[str]]) -> bytes:
    """Answer ListObjectsV2."""
    prefix = query.get("prefix", [""])[0]
    delimiter = query.get("delimiter", [""])[0]
    contents, folders = list[str](), dict[str, None]()
    for key in sorted(key for key in objects if key.startswith(prefix)):
        head, found, _ = key[len(prefix) :].partition(delimiter) if delimiter else (key, "", "")
        if found:
            folders[prefix + head + delimiter] = None
        else:
            contents.append(
                f"<Contents><Key>{escape(key)}</Key><Size>{len(objects[key])}</Size>"
                "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
            )
    prefixes = (f"<CommonPrefixes><Prefix>{escape(f)}</Prefix></CommonPrefixes>" for f in folders)
    return (
        '<ListBucketResult xmlns="http://s3.amazonaws.com/doc/2006-03-01/">'
        f"<Prefix>{escape(prefix)}</Prefix><KeyCount>{len(contents) + len(folders)}</KeyCount>"
        f"<IsTruncated>false</IsTruncated>{''.join(contents)}{''.join(prefixes)}"
        "</ListBucketResult>"
    ).encode()
