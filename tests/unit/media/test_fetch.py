import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from services.chassis import call
from services.chassis.errors import InvalidInput, MeshError, Unavailable
from services.media.fetch import Fetcher
from services.media.guard import Guard
from tests.doubles.strangers import MEBIBYTE, Names, Stranger, stranger

PATH = "messages[0].parts[1].image.uri"


@pytest.fixture
async def server() -> AsyncIterator[Stranger]:
    async with stranger() as running:
        yield running


@pytest.fixture
async def fetcher() -> AsyncIterator[Fetcher]:
    async with Fetcher(Guard(["127.0.0.1"])) as opened:
        yield opened


async def test_bytes_are_fetched_with_what_they_are_said_to_be(
    fetcher: Fetcher, server: Stranger
) -> None:
    media = await fetcher.fetch(server.url("/file?signed=a%2Fb%3D&x=%7e#part"), field=PATH)
    assert (media.data, media.media_type) == (b"a picture", "image/png")
    assert server.requests[0].raw_path == "/file?signed=a%2Fb%3D&x=%7e"
    assert "traceparent" not in server.requests[0].headers
    assert "a picture" not in repr(media)


async def test_a_large_file_comes_piece_by_piece_and_is_stopped_where_there_is_no_room(
    fetcher: Fetcher, server: Stranger
) -> None:
    sizes: list[int] = []

    async def add(piece: bytes) -> None:
        sizes.append(len(piece))

    most = 40 * MEBIBYTE
    with pytest.raises(InvalidInput, match=f"more than {most} bytes"):
        await fetcher.bring(server.url("/endless"), add, field=PATH, most_bytes=most)
    assert 39 * MEBIBYTE < sum(sizes) <= most
    assert max(sizes) <= 2 * MEBIBYTE


async def test_three_redirects_are_followed_and_four_are_not(
    fetcher: Fetcher, server: Stranger
) -> None:
    assert (await fetcher.fetch(server.url("/hops/2"), field=PATH)).data == b"a picture"
    await refused(fetcher, server.url("/hops/3"), "FETCH_FAILED")


@pytest.mark.parametrize(
    "target",
    [
        "http://127.0.0.2/",
        "http://[::1]/",
        "http://169.254.169.254/latest/meta-data/",
        "http://user:secret@127.0.0.1/file",
        "//10.0.0.1/",
        "file:///etc/passwd",
        "gopher://127.0.0.1/",
    ],
)
async def test_a_redirect_is_checked_again(fetcher: Fetcher, server: Stranger, target: str) -> None:
    await refused(fetcher, server.url(f"/moved?to={target}"), "ADDRESS_NOT_ALLOWED")
    assert len(server.requests) == 1


async def test_a_name_that_changes_its_mind_leads_nowhere_else(server: Stranger) -> None:
    names = Names(rebinding_example=[["127.0.0.1"], ["127.0.0.2"]])
    async with Fetcher(Guard(["127.0.0.1/32"], resolver=names)) as fetcher:
        url = server.url("/file", "rebinding.example")
        assert (await fetcher.fetch(url, field=PATH)).data == b"a picture"
        assert names.asked == ["rebinding.example"]
    async with Fetcher(Guard(["127.0.0.1/32"], resolver=names)) as fetcher:
        await refused(fetcher, url, "ADDRESS_NOT_ALLOWED")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 410, 204, 206, 304])
async def test_an_answer_that_will_not_change_is_the_request_s_fault(
    fetcher: Fetcher, server: Stranger, status: int
) -> None:
    failed = await refused(fetcher, server.url(f"/status/{status}"), "FETCH_FAILED")
    assert str(status) in failed.message


@pytest.mark.parametrize("status", [408, 425, 429, 500, 502, 503, 504])
async def test_an_answer_that_may_change_may_be_tried_again(
    fetcher: Fetcher, server: Stranger, status: int
) -> None:
    with pytest.raises(Unavailable) as failed:
        await fetcher.fetch(server.url(f"/status/{status}"), field=PATH)
    assert str(status) in failed.value.message
    assert failed.value.violations[0].field == PATH
    assert failed.value.retry_after is not None


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("/endless", "MEDIA_TOO_LARGE"),
        ("/bomb", "MEDIA_TOO_LARGE"),
        ("/claims/999999999999", "MEDIA_TOO_LARGE"),
        ("/claims/-5", "FETCH_FAILED"),
        ("/gibberish", "FETCH_FAILED"),
    ],
)
async def test_a_hostile_answer_is_refused(
    fetcher: Fetcher, server: Stranger, path: str, code: str
) -> None:
    await refused(fetcher, server.url(path), code)


async def test_an_answer_shorter_than_it_says_may_be_tried_again(
    fetcher: Fetcher, server: Stranger
) -> None:
    with pytest.raises(Unavailable):
        await fetcher.fetch(server.url("/claims/5"), field=PATH)


async def test_the_most_bytes_are_taken_and_one_more_is_not(
    fetcher: Fetcher, server: Stranger
) -> None:
    server.body = bytes(MEBIBYTE)
    media = await fetcher.fetch(server.url("/file"), field=PATH, most_bytes=MEBIBYTE)
    assert len(media.data) == MEBIBYTE
    with pytest.raises(InvalidInput, match="1048575 bytes"):
        await fetcher.fetch(server.url("/file"), field=PATH, most_bytes=MEBIBYTE - 1)


async def test_a_silent_server_is_left_in_time(server: Stranger) -> None:
    async with Fetcher(Guard(["127.0.0.1"]), seconds=0.2) as fetcher, asyncio.timeout(5):
        with pytest.raises(Unavailable, match="in time"):
            await fetcher.fetch(server.url("/silent"), field=PATH)
        await server.left.wait()


async def test_a_fetch_ends_with_the_call_that_asks(fetcher: Fetcher, server: Stranger) -> None:
    deadline = asyncio.get_running_loop().time() + 0.2
    with call.use(call.Call(deadline=deadline)):
        async with asyncio.timeout(5):
            with pytest.raises(Unavailable):
                await fetcher.fetch(server.url("/silent"), field=PATH)


async def test_who_stops_waiting_leaves(fetcher: Fetcher, server: Stranger) -> None:
    fetching = asyncio.create_task(fetcher.fetch(server.url("/silent"), field=PATH))
    async with asyncio.timeout(5):
        await server.asked.wait()
        fetching.cancel()
        await server.left.wait()


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://nowhere.example/", InvalidInput),
        ("http://127.0.0.1:1/", Unavailable),
        ("http://[", InvalidInput),
        ("http://", InvalidInput),
        ("http://127.0.0.1:99999/", InvalidInput),
        ("http://exa mple/", InvalidInput),
        ("http://127.0.0.1\r\nHost: x/", InvalidInput),
    ],
)
async def test_what_leads_nowhere_is_told_in_words(url: str, kind: type[MeshError]) -> None:
    async with Fetcher(Guard(["127.0.0.1"], resolver=Names())) as fetcher:
        with pytest.raises(kind) as failed:
            await fetcher.fetch(url, field=PATH)
    assert failed.value.violations[0].field == PATH
    assert failed.value.remedy


async def test_a_server_without_a_certificate_is_not_trusted(
    fetcher: Fetcher, server: Stranger
) -> None:
    url = server.url("/file").replace("http:", "https:")
    with pytest.raises(InvalidInput):
        await fetcher.fetch(url, field=PATH)


async def test_no_proxy_is_taken_from_the_environment(
    fetcher: Fetcher, server: Stranger, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    assert (await fetcher.fetch(server.url("/file"), field=PATH)).data


async def test_no_address_is_told_or_logged(
    fetcher: Fetcher, server: Stranger, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    failed = await refused(fetcher, server.url("/status/404?signature=s3cret"), "FETCH_FAILED")
    assert "s3cret" not in f"{failed} {failed.violations} {failed.__cause__}"
    mesh = [it for it in caplog.records if it.name.startswith("services")]
    assert "s3cret" not in repr(mesh)


async def refused(fetcher: Fetcher, url: str, code: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as failed:
        await fetcher.fetch(url, field=PATH)
    assert failed.value.code == code
    assert failed.value.violations[0].field == PATH
    assert failed.value.remedy
    return failed.value
