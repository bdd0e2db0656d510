"""The checks pass on what is committed, and each fails when its subject is wrong."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from deploy import chart, check


@pytest.mark.parametrize("run", [pytest.param(run, id=name) for name, run in check.checks()])
def test_what_is_committed_passes(run: Callable[[], None]) -> None:
    run()


def test_a_sloppy_image_is_refused(tmp_path: Path) -> None:
    dockerfile = tmp_path / "Dockerfile"
    dockerfile.write_text("FROM python\nRUN cd /tmp && sudo pip install grpcio\n")
    with pytest.raises(check.CheckFailed, match="DL3006"):
        check.image(dockerfile)


def test_a_compose_file_with_an_unknown_key_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "compose.yaml"
    file.write_text("services:\n  jobs:\n    imagine: sensorium\n")
    with pytest.raises(check.CheckFailed, match="imagine"):
        check.compose(file)


def test_an_example_that_was_not_rendered_anew_is_refused(tmp_path: Path) -> None:
    folder = tmp_path / "small"
    shutil.copytree(chart.EXAMPLES / "small", folder)
    with (folder / "rendered.yaml").open("a") as rendered:
        rendered.write("# changed by hand\n")
    with pytest.raises(check.CheckFailed, match="not what the chart renders"):
        check.example(folder)


def test_one_failure_fails_the_command_and_the_others_still_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copy(check.DEPLOY / "compose.yaml", tmp_path)
    (tmp_path / "Dockerfile").write_text("FROM python\n")
    monkeypatch.setattr(check, "DEPLOY", tmp_path)
    monkeypatch.setattr("sys.argv", ["check.py"])
    assert check.main() == 1
    output = capsys.readouterr()
    assert "FAILED image" in output.err
    assert "ok     compose" in output.out
