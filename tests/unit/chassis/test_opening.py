import pytest
from mesh.audio.v1 import audio_service_pb2 as pb

from services.chassis import opening
from services.chassis.errors import InvalidInput

SETTINGS = pb.TranscribeRequest(settings=pb.TranscribeSettings(language="en"))
CHUNK = pb.TranscribeRequest(chunk=b"1")


class Door:
    is_open = False

    async def send_initial_metadata(self, _):
        self.is_open = True


async def sent(*requests):
    for request in requests:
        yield request


def chunk_of(request):
    return request.chunk or None


async def test_a_client_is_let_in_before_it_says_anything():
    door = Door()

    async def waiting():
        assert door.is_open
        yield SETTINGS

    assert (await opening.settings(waiting(), door)).language == "en"


@pytest.mark.parametrize("requests", [(), (CHUNK,)])
async def test_what_does_not_begin_with_settings_is_refused(requests):
    with pytest.raises(InvalidInput, match="settings: is missing in the first message"):
        await opening.settings(sent(*requests), Door())


async def test_what_follows_is_read_until_settings_come_again():
    read = opening.rest(sent(CHUNK, CHUNK, SETTINGS), chunk_of)
    assert [await anext(read), await anext(read)] == [b"1", b"1"]
    with pytest.raises(InvalidInput, match="may only come first"):
        await anext(read)
