import logging
from datetime import UTC, datetime, timedelta

import pytest

from services.chassis.errors import Denied, InvalidInput
from services.jobs.adapters import domain
from services.jobs.config import DomainConfig
from services.jobs.content import DomainQuery
from services.jobs.ports.gathering import SourceDown
from services.media.guard import Guard
from tests.doubles import domain_server
from tests.doubles.domain_server import APP_KEY, APP_SECRET, DOMAIN, EMAIL, PASSWORD, Item

NOON = datetime(2026, 5, 1, 12, tzinfo=UTC)
QUERY = DomainQuery(DOMAIN)
MOST = 1000
ITEMS = [
    Item(f"item-{n}", f"IMG_2025101{n}_120000.jpg", b"\xff\xd8 %d\r\n--" % n) for n in range(3)
]


class Clock:
    def __init__(self):
        self.time = NOON

    def now(self):
        return self.time

    def monotonic(self):
        return self.time.timestamp()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def server(clock):
    async with domain_server.serving(clock.now().timestamp()) as running:
        running.hold(*ITEMS)
        yield running


def configured(server, **values):
    told = {"posemesh_email": EMAIL, "posemesh_password": PASSWORD, **values}
    return DomainConfig(api_url=server.url, dds_url=server.url, **told)


@pytest.fixture
async def network(server, clock):
    async with domain.opened(configured(server), Guard(["127.0.0.1"]), clock) as opened:
        yield opened


async def fetched(network, ids):
    return {it: data async for it, data in network.fetch(DOMAIN, ids, most_bytes=MOST)}


def pass_time(server, clock, **time):
    clock.time += timedelta(**time)
    server.now = clock.time.timestamp()


async def test_a_domain_tells_what_is_in_it(network):
    items = await network.list(QUERY)
    assert [(it.id, it.name, it.data_type) for it in items] == [
        (it.id, it.name, "mentra-live-image") for it in ITEMS
    ]
    assert items[0].create_time == datetime(2025, 10, 11, 12, tzinfo=UTC)
    assert items[0].size == len(ITEMS[0].data)


@pytest.mark.parametrize(
    ("query", "found"),
    [
        (DomainQuery(DOMAIN, ids=("item-0", "item-2")), ["item-0", "item-2"]),
        (DomainQuery(DOMAIN, name="IMG_20251011_120000.jpg"), ["item-1"]),
        (DomainQuery(DOMAIN, data_type="a/b & c"), ["odd"]),
        (DomainQuery(DOMAIN, data_type="none"), []),
    ],
)
async def test_a_query_narrows_what_is_found(server, network, query, found):
    server.hold(Item("odd", "x", b"x", "a/b & c"))
    assert [it.id for it in await network.list(query)] == found


async def test_many_ids_are_asked_for_in_addresses_of_bounded_length(server, network):
    server.hold(*(Item(f"{n:036}", "x", b"x") for n in range(200)))
    ids = tuple(f"{n:036}" for n in range(200))
    assert len(await network.list(DomainQuery(DOMAIN, ids=ids))) == 200
    assert max(len(it.raw_path) for it in server.requests) < 4000


async def test_bytes_come_in_parts_as_they_are(server, network):
    assert await fetched(network, ["item-0", "item-2"]) == {
        "item-0": ITEMS[0].data,
        "item-2": ITEMS[2].data,
    }
    assert len(server.asked("GET", "/data")) == 1


async def test_what_the_parts_leave_out_is_asked_for_alone(server, network):
    server.omits = {"item-1"}
    assert (await fetched(network, ["item-0", "item-1"]))["item-1"] == ITEMS[1].data
    assert len(server.asked("GET", "/data/item-1")) == 1


async def test_a_server_without_parts_is_asked_item_by_item(server, network):
    server.speaks_parts = False
    assert set(await fetched(network, ["item-0", "item-1"])) == {"item-0", "item-1"}


async def test_what_is_not_there_is_left_out(network):
    assert await fetched(network, ["item-0", "gone"]) == {"item-0": ITEMS[0].data}


@pytest.mark.parametrize("speaks_parts", [True, False])
async def test_what_is_too_large_is_not_kept_and_the_rest_is(server, network, speaks_parts):
    server.speaks_parts = speaks_parts
    server.hold(Item("large", "x", bytes(MOST + 1)))
    assert await fetched(network, ["large", "item-0"]) == {"large": None, "item-0": ITEMS[0].data}


async def test_parts_that_break_off_are_told_as_passing_and_what_came_before_is_given(
    server, network
):
    server.cut = 1
    coming = network.fetch(DOMAIN, ["item-0", "item-1"], most_bytes=MOST)
    assert await anext(coming) == ("item-0", ITEMS[0].data)
    with pytest.raises(SourceDown):
        await anext(coming)


async def test_one_login_serves_until_a_minute_before_its_end_and_then_it_is_refreshed(
    server, network, clock
):
    for _ in range(3):
        await network.list(QUERY)
    assert len(server.asked("POST", "/user/login")) == 1
    assert len(server.asked("POST", "/auth")) == 1
    pass_time(server, clock, seconds=3600 - 59)
    await network.list(QUERY)
    assert len(server.asked("POST", "/user/login")) == 1
    assert len(server.asked("POST", "/user/refresh")) == 1
    assert len(server.asked("POST", "/auth")) == 2


async def test_when_the_refresh_has_ended_too_it_logs_in_again(server, network, clock):
    await network.list(QUERY)
    pass_time(server, clock, days=1)
    await network.list(QUERY)
    assert len(server.asked("POST", "/user/login")) == 2


async def test_a_token_that_was_taken_back_is_replaced_at_once(server, network):
    await network.list(QUERY)
    server.revoke()
    assert await fetched(network, ["item-0"]) == {"item-0": ITEMS[0].data}


async def test_an_app_asks_by_its_key_and_never_logs_in(server, clock):
    config = configured(
        server,
        posemesh_email=None,
        posemesh_password=None,
        app_key=APP_KEY,
        app_secret=APP_SECRET,
    )
    async with domain.opened(config, Guard(["127.0.0.1"]), clock) as network:
        assert len(await network.list(QUERY)) == 3
    assert server.asked("POST", "/user/login") == []


async def test_a_wrong_password_is_told_without_it(server, clock):
    config = configured(server, posemesh_password="hush hush")
    async with domain.opened(config, Guard(["127.0.0.1"]), clock) as network:
        with pytest.raises(Denied) as refused:
            await network.list(QUERY)
    assert refused.value.code == "DOMAIN_LOGIN"
    assert "POSEMESH_PASSWORD" in str(refused.value)
    assert "hush" not in str(refused.value)
    assert "hush" not in repr(config)


async def test_an_unknown_domain_is_told(network):
    with pytest.raises(InvalidInput) as refused:
        await network.list(DomainQuery("elsewhere"))
    assert refused.value.code == "DOMAIN_CLOSED"


@pytest.mark.parametrize("path", ["login", "domains-access-token", "auth", "data"])
async def test_a_server_that_is_full_is_told_with_when_to_come_again(server, network, path):
    server.statuses[path] = [(429, {"Retry-After": "7"}), (503, {})]
    with pytest.raises(SourceDown) as down:
        await network.list(QUERY)
    assert down.value.retry_after == timedelta(seconds=7)
    with pytest.raises(SourceDown):
        await network.list(QUERY)
    assert len(await network.list(QUERY)) == 3


async def test_a_redirect_takes_no_token_elsewhere(server, network):
    server.statuses["data"] = [(302, {"Location": f"{server.url}/elsewhere"})]
    with pytest.raises(InvalidInput):
        await network.list(QUERY)
    assert server.asked("GET", "/elsewhere") == []


@pytest.mark.parametrize(
    "address", ["http://169.254.169.254", "http://[::1]:80", "ftp://x", "http://u:p@h", "nonsense"]
)
async def test_a_domain_server_inside_is_not_asked(server, clock, address):
    server.data_url = address
    async with domain.opened(configured(server), Guard(), clock) as network:
        with pytest.raises(InvalidInput) as refused:
            await network.list(QUERY)
    assert refused.value.code == "ADDRESS_NOT_ALLOWED"


async def test_a_result_is_stored_and_stored_again_in_its_own_place(server, network):
    told = {"name": "job", "data_type": "json"}
    await network.store(DOMAIN, **told, data=b'{"a": 1}')
    await network.store(DOMAIN, **told, data=b'{"a": 2}')
    [stored] = [it for it in server.items.values() if it.data_type == "json"]
    assert (stored.name, stored.data) == ("job", b'{"a": 2}')


async def test_no_token_is_logged(server, network, caplog):
    caplog.set_level(logging.DEBUG)
    server.statuses["data"] = [(401, {}), (401, {})]
    with pytest.raises(Denied):
        await network.list(QUERY)
    assert "Bearer" not in caplog.text
    for request in server.requests:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        assert not token or token not in caplog.text
