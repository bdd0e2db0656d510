import os
from pathlib import Path

import pytest

from sensorium.errors import Trouble
from sensorium.launcher import places


def test_the_environment_chooses_the_data_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("SENSORIUM_DATA", str(tmp_path))
    assert places.data() == tmp_path


def test_a_user_keeps_data_at_home_and_root_where_other_users_may_go(monkeypatch):
    monkeypatch.delenv("SENSORIUM_DATA", raising=False)
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    assert places.data() == Path.home() / ".local/share/sensorium"
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert places.data() == Path("/var/lib/sensorium")


def test_a_data_folder_serves_one_mesh_at_a_time(tmp_path):
    with places.held(tmp_path), pytest.raises(Trouble, match="another mesh runs on the data"):
        places.held(tmp_path).__enter__()
    with places.held(tmp_path):
        pass


def test_the_folder_of_a_run_goes_with_it_and_leaves_room_for_a_socket():
    with places.run() as folder:
        assert len(str(folder / "postgres" / ".s.PGSQL.5432")) < 100
        (folder / "file").write_text("x")
    assert not folder.exists()
