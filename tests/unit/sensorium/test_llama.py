import socket
import subprocess
import sys
from pathlib import Path

AISLE = Path(__file__).parents[3] / "models/aisle/weights/aisle.gguf"


def ended(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "sensorium.engines.llama", "--alias", "x", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=30, check=False)


def test_a_missing_model_is_told():
    done = ended("--model", "/nowhere/model.gguf", "--port", "1")
    assert done.returncode == 2
    assert "there is no file /nowhere/model.gguf" in done.stderr


def test_a_file_that_is_no_model_is_told(tmp_path):
    broken = tmp_path / "model.gguf"
    broken.write_bytes(b"garbage")
    done = ended("--model", str(broken), "--port", "0")
    assert done.returncode == 1
    assert f"llama.cpp cannot serve {broken}" in done.stderr


def test_a_taken_port_is_told():
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = str(other.getsockname()[1])
        done = ended("--model", str(AISLE), "--port", port)
    assert done.returncode == 1
    assert f"on port {port}" in done.stderr
