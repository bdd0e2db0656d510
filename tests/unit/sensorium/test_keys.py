import base64
import stat

import pytest

from sensorium.errors import Trouble
from sensorium.launcher import keys


def test_a_key_is_made_once_and_is_the_users_own(tmp_path):
    made = keys.webhooks(tmp_path)
    assert len(base64.b64decode(made, validate=True)) == 32
    assert keys.webhooks(tmp_path) == made
    assert stat.S_IMODE((tmp_path / keys.WEBHOOKS).stat().st_mode) == 0o600


def test_a_key_that_is_there_is_used_as_it_is(tmp_path):
    (tmp_path / keys.WEBHOOKS).write_text("bmV3,b2xk\n")
    assert keys.webhooks(tmp_path) == "bmV3,b2xk"


def test_a_file_that_cannot_be_used_is_named(tmp_path):
    (tmp_path / keys.WEBHOOKS).mkdir()
    with pytest.raises(Trouble, match=keys.WEBHOOKS):
        keys.webhooks(tmp_path)
