import array
import fcntl
import signal
import socket
import subprocess
import sys
import termios
import time

import pytest
from click.testing import CliRunner

from sensorium import cli
from sensorium.errors import Trouble


@pytest.fixture
def typed():
    return lambda *words: CliRunner().invoke(cli.commands, words, prog_name="sensorium")


def test_the_help_names_every_command(typed):
    told = typed("--help")
    assert told.exit_code == 0
    assert all(
        word in told.output for word in ("up", "demo", "watch", "listen", "transcribe", "models")
    )


@pytest.mark.parametrize("command", ["up", "demo", "watch", "listen", "transcribe", "models"])
def test_every_command_has_help(typed, command):
    assert "Usage: " in typed(command, "--help").output


def test_the_version_is_told(typed):
    assert typed("--version").output.startswith("sensorium 0.")


def test_a_taken_port_is_told_before_anything_is_fetched_or_started(typed, monkeypatch):
    monkeypatch.setattr(cli.mesh.store, "ensure", lambda *_: pytest.fail("fetched"))
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        told = typed("up", "--port", str(port))
    assert isinstance(told.exception, Trouble)
    assert f"port {port} is taken" in str(told.exception)


def test_trouble_is_one_line_and_exit_code_1(monkeypatch, capsys):
    monkeypatch.setattr(cli.sys, "argv", ["sensorium", "up", "--port", "0", "--profile", "cpu"])
    monkeypatch.setenv("VISION_GGUF", "/nowhere/model.gguf")
    monkeypatch.delenv("VISION_ENGINE_URL", raising=False)
    with pytest.raises(SystemExit) as ended:
        cli.main()
    assert ended.value.code == 1
    said = "sensorium: VISION_GGUF: /nowhere/model.gguf cannot be read: No such file or directory\n"
    assert capsys.readouterr().err == said


def test_a_video_that_is_not_there_is_told_whether_or_not_a_mesh_is(typed, tmp_path):
    told = typed("watch", str(tmp_path / "nothing.mp4"), "--url", "http://127.0.0.1:9")
    assert isinstance(told.exception, Trouble)
    assert "there is no video" in str(told.exception)


@pytest.mark.parametrize(("source", "told"), [
    ("nothing.ogg", "there is no recording at nothing.ogg"),
    ("mic:nowhere", "the audio cannot be read"),
    ("-", "the audio cannot be read"),
])  # fmt: skip
def test_audio_that_is_not_there_is_told_whether_or_not_a_mesh_is(typed, source, told):
    heard = typed("listen", source, "--url", "http://127.0.0.1:9")
    assert isinstance(heard.exception, Trouble)
    assert told in str(heard.exception)


def test_listening_to_silent_standard_input_is_interrupted_as_any_work():
    listener = subprocess.Popen(
        (sys.executable, "-m", "sensorium.cli", "listen", "-", "--url", "http://127.0.0.1:9"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    with listener:
        listener.stdin.write(b"RIFF")
        listener.stdin.flush()
        while _unread(listener.stdin):
            time.sleep(0.01)
        listener.send_signal(signal.SIGINT)
        assert listener.wait(30.0) == 130, listener.stderr.read()


def _unread(pipe):
    count = array.array("i", [0])
    fcntl.ioctl(pipe, termios.FIONREAD, count)
    return count[0]
