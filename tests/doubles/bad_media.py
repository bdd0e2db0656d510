"""What no room takes as media, by every way to send it: one table for every path into the mesh.

Each row says what a picture or a video is sent as, and how the error is told: its code, and the
field below that of the part. The addresses are of a `Stranger` at loopback, whose port is `{port}`.
"""

import base64
from dataclasses import dataclass

from tests.doubles.pictures import BAD_PICTURES
from tests.doubles.videos import BAD_VIDEOS


@dataclass(frozen=True)
class Bad:
    """A row: media that are refused, and how."""

    code: str
    data: bytes = b""
    uri: str = ""
    passes: bool = False
    """Whether the same request may work later."""
    message: str = ""
    """Words that the error holds, besides its field."""

    @property
    def field(self) -> str:
        """The field at fault, below the picture or the video."""
        return ".uri" if self.uri else ""


def data_url(data: bytes, kind: str = "image/png") -> str:
    """The same bytes, named."""
    return f"data:{kind};base64,{base64.b64encode(data).decode()}"


BY_BYTES = {name: Bad(code, data) for name, (data, code) in BAD_PICTURES.items()}
BY_NAME = {
    **{
        f"{name}, as a data URL": Bad(code, uri=data_url(data))
        for name, (data, code) in BAD_PICTURES.items()
    },
    "base64 that is cut": Bad("DATA_URL", uri="data:image/png;base64,aGk"),
    "a data URL without data": Bad("DATA_URL", uri="data:image/png;base64"),
    "a private address": Bad("ADDRESS_NOT_ALLOWED", uri="http://10.0.0.1/a.png"),
    "loopback": Bad("ADDRESS_NOT_ALLOWED", uri="http://127.0.0.2:{port}/file"),
    "loopback in IPv6": Bad("ADDRESS_NOT_ALLOWED", uri="http://[::1]:{port}/file"),
    "loopback within IPv6": Bad("ADDRESS_NOT_ALLOWED", uri="http://[::ffff:7f00:2]:{port}/file"),
    "the cloud's metadata": Bad("ADDRESS_NOT_ALLOWED", uri="http://169.254.169.254/latest/"),
    "an address with a password": Bad("ADDRESS_NOT_ALLOWED", uri="http://a:b@127.0.0.1:{port}/"),
    "a port of mail": Bad("ADDRESS_NOT_ALLOWED", uri="http://8.8.8.8:25/a.png"),
    "a redirect to the inside": Bad(
        "ADDRESS_NOT_ALLOWED", uri="http://127.0.0.1:{port}/moved?to=http://10.0.0.1/"
    ),
    "redirects without end": Bad("FETCH_FAILED", uri="http://127.0.0.1:{port}/hops/9"),
    "nothing there": Bad(
        "FETCH_FAILED", uri="http://127.0.0.1:{port}/status/404", message="HTTP status 404"
    ),
    "no right to it": Bad(
        "FETCH_FAILED", uri="http://127.0.0.1:{port}/status/403", message="HTTP status 403"
    ),
    "a server that fails": Bad(
        "FETCH_FAILED",
        uri="http://127.0.0.1:{port}/status/503",
        passes=True,
        message="HTTP status 503",
    ),
    "nobody there": Bad("FETCH_FAILED", uri="http://127.0.0.1:1/a.png", passes=True),
    "a body without end": Bad("MEDIA_TOO_LARGE", uri="http://127.0.0.1:{port}/endless"),
    "a bomb of gzip": Bad("MEDIA_TOO_LARGE", uri="http://127.0.0.1:{port}/bomb"),
    "less than was said": Bad("FETCH_FAILED", uri="http://127.0.0.1:{port}/claims/9", passes=True),
    "another protocol": Bad("FETCH_FAILED", uri="http://127.0.0.1:{port}/gibberish"),
    "a page": Bad("IMAGE_UNKNOWN", uri="http://127.0.0.1:{port}/file"),
    "a file": Bad("FILES_NOT_ALLOWED", uri="file:///etc/passwd"),
    "an upload that is not there": Bad("MEDIA_NOT_FOUND", uri="media://none"),
}
VIDEOS = {name: Bad(code, data) for name, (data, code) in BAD_VIDEOS.items()} | {
    "a page as a video": Bad("VIDEO_UNREADABLE", uri="http://127.0.0.1:{port}/file"),
    "a picture as a video": Bad("VIDEO_UNREADABLE", uri=data_url(b"\x89PNG\r\n\x1a\n" + bytes(99))),
}
IMAGES = BY_BYTES | BY_NAME
