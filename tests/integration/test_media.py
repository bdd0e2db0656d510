"""Media over a real channel, a real PostgreSQL and a real folder: kept, given back, not leaked."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import grpc
import pytest
from google.api.httpbody_pb2 import HttpBody
from google.protobuf.duration_pb2 import Duration
from mesh.jobs.v1 import media_service_pb2 as pb
from mesh.jobs.v1.media_service_pb2_grpc import (
    MediaServiceStub,
    add_MediaServiceServicer_to_server,
)

from services.chassis import client
from services.chassis.config import RoomConfig
from services.chassis.errors import Unavailable
from services.chassis.server import Server
from services.jobs import media_rpc, sweeper
from services.jobs.adapters import objects
from services.jobs.adapters.postgres import PostgresMediaIndex
from services.jobs.media import MediaKeeper, MediaRules
from services.jobs.media_rpc import MediaServicer
from services.media.spool import Shelf
from tests.doubles import memory
from tests.doubles.pictures import scene_png

PICTURE = scene_png()
RULES = MediaRules(ttl=timedelta(hours=24), most_bytes=100_000, quota_bytes=250_000)
SPOOLED = 300_000
ACME = [("x-mesh-tenant", "acme")]
OTHER = [("x-mesh-tenant", "other")]


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "media"


@pytest.fixture
def keeper(database, folder) -> MediaKeeper:
    return MediaKeeper(
        PostgresMediaIndex(database, writing=timedelta(0)), objects.store_at(folder.as_uri()), RULES
    )


@pytest.fixture
async def stub(database, folder) -> AsyncIterator[MediaServiceStub]:
    keeper = MediaKeeper(PostgresMediaIndex(database), objects.store_at(folder.as_uri()), RULES)
    server = Server(RoomConfig(listen="127.0.0.1:0", drain_seconds=0))
    service = pb.DESCRIPTOR.services_by_name["MediaService"]
    server.add(add_MediaServiceServicer_to_server, MediaServicer(keeper, Shelf(SPOOLED)), service)
    async with server.running() as address, client.channel(address) as channel:
        yield MediaServiceStub(channel)


def files(folder):
    return [it for it in folder.rglob("*") if it.is_file()]


async def upload(stub, data=PICTURE, content_type="image/png", tenant=ACME, **fields):
    content = HttpBody(content_type=content_type, data=data)
    return await stub.Upload(pb.UploadRequest(content=content, **fields), metadata=tenant)


async def get(stub, uri, tenant=ACME):
    asked = pb.GetRequest(id=uri.removeprefix("media://"))
    return (await stub.Get(asked, metadata=tenant)).content


async def delete(stub, uri, tenant=ACME):
    await stub.Delete(pb.DeleteRequest(id=uri.removeprefix("media://")), metadata=tenant)


async def refused(call):
    with pytest.raises(grpc.aio.AioRpcError) as failed:
        await call
    return failed.value.code(), failed.value.details()


async def test_what_was_uploaded_comes_back_until_it_expires(stub):
    kept = await upload(stub)
    assert kept.uri.startswith("media://")
    content = await get(stub, kept.uri)
    assert (content.data, content.content_type) == (PICTURE, "image/png")
    left = kept.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(hours=23) < left <= timedelta(hours=24)


async def upload_parts(stub, *parts, **fields):
    async def requests():
        for part in parts:
            yield pb.UploadStreamRequest(content=HttpBody(data=part), **fields)

    return await stub.UploadStream(requests(), metadata=ACME)


async def test_what_comes_in_parts_is_kept_as_one_and_for_as_long_as_the_first_says(stub):
    kept = await upload_parts(stub, PICTURE[:9], PICTURE[9:], ttl=Duration(seconds=120))
    content = await get(stub, kept.uri)
    assert (content.data, content.content_type) == (PICTURE, "image/png")
    left = kept.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(seconds=90) < left <= timedelta(seconds=120)


async def test_parts_of_more_than_there_is_room_for_are_refused_and_leave_nothing(stub, folder):
    code, told = await refused(upload_parts(stub, *[bytes(60_000)] * 9))
    assert (code, "content: is more than" in told) == (grpc.StatusCode.INVALID_ARGUMENT, True)
    assert files(folder) == []
    code, told = await refused(upload_parts(stub))
    assert (code, "is empty" in told) == (grpc.StatusCode.INVALID_ARGUMENT, True)


async def test_who_sends_no_more_is_told_so(stub, monkeypatch):
    monkeypatch.setattr(media_rpc, "_IDLE_SECONDS", 0.05)

    async def requests():
        yield pb.UploadStreamRequest(content=HttpBody(data=b"a"))
        await asyncio.Event().wait()

    code, told = await refused(stub.UploadStream(requests(), metadata=ACME))
    assert (code, "nothing was sent" in told) == (grpc.StatusCode.DEADLINE_EXCEEDED, True)


async def test_a_recording_of_any_size_takes_up_no_more_memory(database, folder, keeper):
    index = PostgresMediaIndex(database)
    rules = MediaRules(ttl=timedelta(hours=1), most_bytes=1, quota_bytes=2**30)
    keeper = MediaKeeper(index, objects.store_at(folder.as_uri()), rules)
    size = 0
    async with Shelf(2**28).spool("content") as spool:
        with memory.peak() as peak:
            for _ in range(256):
                await spool.add(bytes(2**20))
            kept = await keeper.upload(spool, ttl=None)
            async for piece in keeper._blobs.stream(kept.id):
                size += len(piece)
    assert (kept.size, size) == (2**28, 2**28)
    assert peak.grown_bytes < 2**27


async def test_a_time_of_ones_own_is_kept_to(stub):
    kept = await upload(stub, ttl=Duration(seconds=120))
    left = kept.expire_time.ToDatetime(UTC) - datetime.now(UTC)
    assert timedelta(seconds=90) < left <= timedelta(seconds=120)


async def test_a_page_is_never_given_back_as_a_page(stub):
    page = b"<html><script>alert(1)</script>"
    content = await get(stub, (await upload(stub, page, "text/html")).uri)
    assert (content.data, content.content_type) == (page, "application/octet-stream")


async def test_media_of_another_tenant_is_not_there(stub):
    kept = await upload(stub)
    for call in (get(stub, kept.uri, OTHER), delete(stub, kept.uri, OTHER)):
        code, told = await refused(call)
        assert code is grpc.StatusCode.NOT_FOUND
        assert "no such media" in told
    assert (await get(stub, kept.uri)).data == PICTURE


async def test_deleted_media_is_gone_at_once_and_deleting_it_again_is_no_error(stub):
    kept = await upload(stub)
    await delete(stub, kept.uri)
    await delete(stub, kept.uri)
    code, _ = await refused(get(stub, kept.uri))
    assert code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize("media_id", ["x", "../../etc/passwd", "a\0b", "é" * 64])
async def test_an_id_that_never_was_is_not_found(stub, media_id):
    code, _ = await refused(get(stub, media_id))
    assert code is grpc.StatusCode.NOT_FOUND


@pytest.mark.parametrize(
    ("data", "sentence"), [(b"", "is empty"), (bytes(100_001), "at most 100000 are kept")]
)
async def test_nothing_and_too_much_are_refused(stub, data, sentence):
    code, told = await refused(upload(stub, data))
    assert code is grpc.StatusCode.INVALID_ARGUMENT
    assert sentence in told


async def test_a_tenant_cannot_pass_its_quota_and_is_told(stub):
    for _ in range(2):
        await upload(stub, bytes(100_000))
    code, told = await refused(upload(stub, bytes(100_000)))
    assert code is grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "delete some" in told
    await upload(stub, bytes(100_000), tenant=OTHER)


async def test_the_sweeper_removes_what_was_deleted_and_leaves_the_rest(stub, keeper, folder):
    gone, stays = await upload(stub), await upload(stub)
    await delete(stub, gone.uri)
    done = asyncio.Event()

    async def sweep():
        more = await keeper.sweep()
        done.set()
        return more

    async with sweeper.running({"media": sweep}, seconds=0.05), asyncio.timeout(20):
        await done.wait()
    assert len(files(folder)) == 1
    assert (await get(stub, stays.uri)).data == PICTURE


class Dies(Exception):
    """Stands for a process that ends at once."""


@asynccontextmanager
async def dying():
    with pytest.raises((Dies, ExceptionGroup)):
        yield


async def swept(keeper, folder):
    while await keeper.sweep():
        pass
    return files(folder)


@pytest.mark.parametrize("before", ["blobs.write", "index.keep"])
async def test_an_upload_that_dies_on_its_way_leaves_nothing(keeper, folder, monkeypatch, before):
    die_before(monkeypatch, keeper, before)
    async with dying():
        await keeper.upload(PICTURE, ttl=None)
    monkeypatch.undo()
    assert await swept(keeper, folder) == []
    assert await rows(keeper) == 0


@pytest.mark.parametrize("before", ["index.doomed", "blobs.remove", "index.forget"])
async def test_a_sweep_that_dies_on_its_way_leaves_nothing_and_serves_nothing_that_is_gone(
    keeper, folder, monkeypatch, before
):
    media = await keeper.upload(PICTURE, ttl=timedelta(0))
    die_before(monkeypatch, keeper, before)
    async with dying():
        await keeper.sweep()
    monkeypatch.undo()
    assert await keeper._index.find("default", {media.id}) == {}
    # What one sweeper has taken and not done comes to another after a while.
    await keeper._index._database.rows(due_now())
    assert await swept(keeper, folder) == []
    assert await rows(keeper) == 0


def die_before(monkeypatch, keeper, name):
    part, method = name.split(".")

    async def die(*_args, **_values):
        raise Dies

    monkeypatch.setattr(getattr(keeper, f"_{part}"), method, die)


def due_now():
    from services.jobs.adapters.postgres.tables import media_doomed

    return (
        media_doomed.update()
        .values(due_time=datetime(2000, 1, 1, tzinfo=UTC))
        .returning(media_doomed.c.id)
    )


async def rows(keeper):
    from sqlalchemy import func, select

    from services.jobs.adapters.postgres.tables import media, media_doomed

    count = sum(
        select(func.count()).select_from(table).scalar_subquery() for table in (media, media_doomed)
    )
    [[total]] = await keeper._index._database.rows(select(count))
    return total


WRITER = """
import asyncio, resource, signal, sys
from services.jobs.adapters import objects
# The system kills it in the middle, when the file becomes too large.
resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
asyncio.run(objects.store_at(sys.argv[1]).write("ab" * 16, bytes(4_000_000)))
"""


async def test_what_a_killed_writer_left_half_written_is_removed_with_its_media(folder):
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITER, folder.as_uri())
    assert await process.wait() == -signal.SIGXFSZ
    assert files(folder) != []
    await objects.store_at(folder.as_uri()).remove("ab" * 16)
    assert files(folder) == []


async def test_a_store_that_is_down_is_told_as_unavailable_and_names_nothing_of_the_inside(
    monkeypatch,
):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "an id")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "hush")
    monkeypatch.setattr(objects, "_SECONDS", 2.0)
    with pytest.raises(Unavailable) as down:
        await objects.store_at("s3://media").read("ab" * 16)
    assert "hush" not in str(down.value)
    assert "127.0.0.1" not in str(down.value)
