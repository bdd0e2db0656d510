import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from services.chassis.errors import InvalidInput
from services.media.fetch import Fetcher, Media
from services.media.guard import Guard
from services.media.sources import Sources
from tests.doubles.strangers import stranger

PATH = "image.uri"


class Uploads:
    async def get(self, media_id: str, *, field: str) -> Media:
        return Media(media_id.encode(), "text/plain")


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher(Guard(["127.0.0.1"])) as opened:
        yield opened


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = tmp_path / "open"
    (root / "deep").mkdir(parents=True)
    (root / "deep" / "a b.jpg").write_bytes(b"inside")
    (tmp_path / "secret").write_bytes(b"outside")
    return root


@pytest.mark.parametrize(
    ("uri", "data", "media_type"),
    [
        ("data:image/png;base64,aGk=", b"hi", "image/png"),
        ("DATA:IMAGE/PNG;BASE64,aGk=", b"hi", "image/png"),
        ("data:image/svg+xml;charset=utf-8;base64,aGk=", b"hi", "image/svg+xml"),
        ("data:;base64,aGk=", b"hi", ""),
        ("data:;base64,aGk%3D", b"hi", ""),
        ("data:,a%00b%20c", b"a\0b c", ""),
        ("data:text/plain,", b"", "text/plain"),
    ],
)
async def test_a_data_url_is_read(fetcher: Fetcher, uri: str, data: bytes, media_type: str) -> None:
    media = await Sources(fetcher).open(uri, field=PATH)
    assert (media.data, media.media_type) == (data, media_type)


@pytest.mark.parametrize(
    "uri",
    [
        "data:image/png;base64",
        "data:image/png;base64,a",
        "data:image/png;base64,aGk",
        "data:image/png;base64,aG k=",
        "data:image/png;base64,aGk=\n",
        "data:image/png;base64,aGk=extra",
        "data:image/png;base64,aG-_",
        "data:image;base64,aGk=",
        "data:image/png;base64;base64,aGk=",
        "data:text/plain,é",
    ],
)
async def test_a_data_url_is_read_strictly(fetcher: Fetcher, uri: str) -> None:
    await refused(Sources(fetcher), uri, "DATA_URL")


async def test_a_data_url_is_bounded(fetcher: Fetcher) -> None:
    whole = "data:;base64," + base64.b64encode(bytes(1_000)).decode()
    assert len((await Sources(fetcher).open(whole, field=PATH, most_bytes=1_000)).data) == 1_000
    with pytest.raises(InvalidInput, match="999 bytes"):
        await Sources(fetcher).open(whole, field=PATH, most_bytes=999)


async def test_a_file_under_the_root_is_read(fetcher: Fetcher, root: Path) -> None:
    uri = (root / "deep" / "a b.jpg").as_uri()
    assert "%20" in uri
    assert (await Sources(fetcher, root=root).open(uri, field=PATH)).data == b"inside"


async def test_files_are_off_without_a_root(fetcher: Fetcher, root: Path) -> None:
    uri = (root / "deep" / "a b.jpg").as_uri()
    await refused(Sources(fetcher), uri, "FILES_NOT_ALLOWED")


@pytest.mark.parametrize(
    "path",
    [
        "ROOT/../secret",
        "ROOT/deep/../../secret",
        "ROOT/%2e%2e/secret",
        "ROOT/..%2fsecret",
        "ROOT/link",
        "ROOT/linked/secret",
        "ROOT/pipe",
        "ROOT/deep",
        "ROOT",
        "ROOT/",
        "ROOT/none",
        "ROOT/a%00b",
        "ROOT/%ff",
        "ROOTED/secret",
        "/etc/passwd",
        "//etc/passwd",
    ],
)
async def test_no_path_leads_out_of_the_root(fetcher: Fetcher, root: Path, path: str) -> None:
    (root / "link").symlink_to(root.parent / "secret")
    (root / "linked").symlink_to(root.parent)
    os.mkfifo(root / "pipe")
    uri = "file://" + path.replace("ROOT", str(root))
    await refused(Sources(fetcher, root=root), uri, "FILE_NOT_FOUND")


async def test_a_file_of_another_host_is_refused(fetcher: Fetcher, root: Path) -> None:
    uri = f"file://elsewhere{root}/deep/a%20b.jpg"
    await refused(Sources(fetcher, root=root), uri, "FILE_NOT_FOUND")


async def test_a_file_is_bounded(fetcher: Fetcher, root: Path) -> None:
    uri = (root / "deep" / "a b.jpg").as_uri()
    with pytest.raises(InvalidInput, match="5 bytes"):
        await Sources(fetcher, root=root).open(uri, field=PATH, most_bytes=5)


async def test_a_reference_is_looked_up(fetcher: Fetcher) -> None:
    media = await Sources(fetcher, uploads=Uploads()).open("media://a-B_9", field=PATH)
    assert media.data == b"a-B_9"
    with pytest.raises(InvalidInput):
        await Sources(fetcher, uploads=Uploads()).open("media://abc", field=PATH, most_bytes=2)


@pytest.mark.parametrize("uri", ["media://", "media://a/b", "media://a?x", "media://" + "a" * 129])
async def test_a_reference_is_an_id_and_nothing_else(fetcher: Fetcher, uri: str) -> None:
    await refused(Sources(fetcher, uploads=Uploads()), uri, "MEDIA_NOT_FOUND")


async def test_without_uploads_no_reference_is_known(fetcher: Fetcher) -> None:
    await refused(Sources(fetcher), "media://abc", "MEDIA_NOT_FOUND")


async def test_an_address_is_fetched(fetcher: Fetcher) -> None:
    async with stranger() as server:
        media = await Sources(fetcher).open(server.url("/file"), field=PATH)
    assert media.data == b"a picture"


@pytest.mark.parametrize("uri", ["", "/etc/passwd", "ftp://x/", "javascript:x", "aGk="])
async def test_another_form_is_refused(fetcher: Fetcher, uri: str) -> None:
    await refused(Sources(fetcher), uri, "URI_UNKNOWN")


async def refused(sources: Sources, uri: str, code: str) -> None:
    with pytest.raises(InvalidInput) as failed:
        await sources.open(uri, field=PATH)
    assert failed.value.code == code
    assert failed.value.violations[0].field == PATH
    assert failed.value.remedy
