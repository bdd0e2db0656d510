from uuid import UUID

import pytest

from services.jobs.domain import JobId
from services.jobs.webhooks.domain import DeliveryId

ID = DeliveryId(JobId(UUID("0198c7c0-5b0e-7a35-9e0f-0d9a5d2c7b11")), 7)
TEXT = "msg_0198c7c05b0e7a359e0f0d9a5d2c7b11_7"


def test_an_id_is_written_and_read():
    assert str(ID) == TEXT
    assert DeliveryId.parse(TEXT) == ID


@pytest.mark.parametrize(
    "text",
    [
        *("", "msg_", TEXT[4:], TEXT + " ", TEXT.upper(), TEXT[:-1] + "0", TEXT + "0000000000"),
        *("msg_test_0198c7c05b0e7a359e0f0d9a5d2c7b11", TEXT[:-1] + "\N{ARABIC-INDIC DIGIT SEVEN}"),
    ],
)
def test_what_is_no_id_is_none(text):
    assert DeliveryId.parse(text) is None
