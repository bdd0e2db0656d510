"""Messages to receivers of every kind, over real HTTP: what is believed of their answers."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest
from aiohttp import web

from services.jobs.adapters.receiver import HttpReceiver
from services.media.guard import Guard
from tests.doubles.engine_llama import free_port
from tests.doubles.strangers import Names

LOOPBACK = ("127.0.0.0/8",)


async def post(url, *, guard=None, seconds=5.0, body=b"{}"):
    async with HttpReceiver(guard or Guard(LOOPBACK), seconds=seconds) as http:
        return await http.post(url, body, {"webhook-id": "msg_1"})


async def test_a_message_is_json_with_its_headers_and_nothing_of_ours(hook):
    assert (await post(hook.url, body=b'{"a": "b"}')).is_success
    [message] = hook.received
    assert message.body == b'{"a": "b"}'
    assert set(message.headers) == {
        *("host", "content-type", "content-length", "accept", "accept-encoding"),
        *("user-agent", "webhook-id"),
    }
    assert message.headers["content-type"] == "application/json"


SAID = {
    "nothing": (b"", "it answered 500"),
    "words": (b"no such\r\n\ttable", "it answered 500: no such table"),
    "controls": (b"\x1b[31mred\x00\x07", "it answered 500: [31mred"),
    "no text": (b"\xff\xfe\xfd" * 3, "it answered 500: " + "\N{REPLACEMENT CHARACTER}" * 9),
    "too much": (b"x" * 1_000_000, "it answered 500: " + "x" * 200),
}


@pytest.mark.parametrize(("said", "told"), SAID.values(), ids=SAID)
async def test_of_what_a_receiver_says_a_short_printable_part_is_told(hook, said, told):
    hook.answers = [web.Response(status=500, body=said)]
    assert (await post(hook.url)).problem == told


async def test_an_answer_that_never_ends_is_read_no_further(hook):
    drip = web.Response(status=500, body=endless())
    hook.answers = [drip]
    answer = await post(hook.url)
    assert answer.status == 500
    assert len(answer.problem) < 250


async def endless() -> AsyncIterator[bytes]:
    while True:
        yield b"more " * 1000


def at(seconds):
    return format_datetime(datetime.now(UTC) + timedelta(seconds=seconds), usegmt=True)


@pytest.mark.parametrize(
    ("told", "least", "most"),
    [
        (lambda: "120", 120, 120),
        (lambda: " 0 ", 0, 0),
        (lambda: at(3600), 3500, 3600),
        (lambda: at(-3600), 0, 0),
    ],
    ids=["seconds", "none", "a date", "a date gone by"],
)
async def test_a_wait_may_be_asked_for_in_seconds_or_by_date(hook, told, least, most):
    hook.answers = [web.Response(status=503, headers={"Retry-After": told()})]
    asked = (await post(hook.url)).retry_after
    assert timedelta(seconds=least) <= asked <= timedelta(seconds=most)


@pytest.mark.parametrize("told", ["", "soon", "-5", "1e9", "9" * 4000, "9" * 5000])
async def test_a_wait_that_is_none_is_not_heeded(hook, told):
    hook.answers = [web.Response(status=503, headers={"Retry-After": told})]
    answer = await post(hook.url)
    assert (answer.status, answer.retry_after) == (503, None)


@pytest.mark.parametrize("inside", ["127.0.0.1", "10.0.0.7", "::1", "fe80::1", "::ffff:127.0.0.1"])
async def test_a_name_that_leads_inside_is_not_called(hook, inside):
    names = Names(hook_example=[["93.184.215.14", inside]])
    answer = await post(f"http://hook.example:{free_port()}/", guard=Guard(resolver=names))
    assert answer.problem == "it was not called: the address is not public"


async def test_a_name_that_nobody_has_is_told_in_words():
    answer = await post("https://hook.example/", guard=Guard(resolver=Names()))
    assert (answer.status, answer.problem) == (0, "its host is not known")


async def test_a_host_without_a_certificate_is_told_in_words(hook):
    answer = await post(f"https://{hook.address}/")
    assert answer.problem.startswith("its host does not prove who it is")
    assert hook.received == []
