import os
import sys
from pathlib import Path

import pytest

from sensorium.errors import Trouble
from sensorium.launcher import profiles
from services.chassis import names
from tests.doubles.engine_llama import AISLE

ROOMS = (names.VISION, names.REASONING)
MODEL, EYES = AISLE / "aisle.gguf", AISLE / "aisle-mmproj.gguf"
VARIABLES = ("ENGINE_URL", "MODEL", "GGUF", "MMPROJ", "CONTEXT", "DEVICES", "VLLM_ARGS")


@pytest.fixture(autouse=True)
def said(monkeypatch):
    """Say something in the environment, where nothing is said yet."""
    for room in ROOMS:
        for name in VARIABLES:
            monkeypatch.delenv(f"{room.upper()}_{name}", raising=False)
    return lambda **variables: [monkeypatch.setenv(*it) for it in variables.items()]


def engines(name):
    return profiles.chosen(name, "0.5b").engines


def option(command, name):
    """What an option is, as the last of its name counts."""
    return command[len(command) - command[::-1].index(name)]


@pytest.fixture
def big(tmp_path):
    """A GGUF file of a language model that is not small, in two files."""
    path = tmp_path / "Some-7B-Q4_K_M-00001-of-00002.gguf"
    path.write_bytes(MODEL.read_bytes()[:128])
    os.truncate(path, 1 << 30)
    return path


def test_two_gguf_files_are_served_apart_and_a_big_one_on_all_cores(said, big):
    said(VISION_GGUF=str(MODEL), VISION_MMPROJ=str(EYES), REASONING_GGUF=str(big))
    said(REASONING_CONTEXT="16384")
    vision, reasoning = engines("cpu")
    assert (vision.name, vision.model) == ("vision-engine", "aisle")
    assert option(vision.command, "--mmproj") == str(EYES)
    assert (option(vision.command, "--context"), option(vision.command, "--threads")) == (
        "8192",
        "1",
    )
    assert (reasoning.name, reasoning.model) == ("reasoning-engine", "Some-7B-Q4_K_M")
    assert option(reasoning.command, "--context") == "16384"
    assert not {"--mmproj", "--threads"} & set(reasoning.command)


def test_one_gguf_file_that_sees_serves_both_rooms(said):
    said(VISION_GGUF=str(MODEL), VISION_MMPROJ=str(EYES))
    [engine] = engines("cpu")
    assert (engine.name, engine.rooms) == ("engine", ROOMS)


@pytest.mark.parametrize("name", ["cpu", "gpu"])
def test_nothing_is_asked_for_rooms_whose_engines_run_elsewhere(said, name):
    said(VISION_ENGINE_URL="http://a/v1", REASONING_ENGINE_URL="http://b/v1", VLLM_PYTHON="/none")
    assert engines(name) == ()


def test_the_one_room_that_has_no_engine_elsewhere_gets_one(said, big):
    said(VISION_ENGINE_URL="http://a/v1", REASONING_GGUF=str(big))
    assert [it.rooms for it in engines("cpu")] == [(names.REASONING,)]
    said(VISION_ENGINE_URL="", REASONING_ENGINE_URL="http://b/v1")
    said(VISION_GGUF=str(MODEL), VISION_MMPROJ=str(EYES))
    assert [it.rooms for it in engines("cpu")] == [(names.VISION,)]


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({}, r"needs VISION_GGUF, .* hf download .*mmproj-.*Or set VISION_ENGINE_URL"),
        ({"VISION_GGUF": "/no/such"}, "VISION_GGUF: /no/such cannot be read: No such file"),
        ({"VISION_GGUF": __file__}, "VISION_GGUF: .* is not a GGUF file. It should be"),
        ({"VISION_GGUF": str(EYES)}, "VISION_GGUF: .* holds the eyes of a model"),
        ({"VISION_GGUF": str(MODEL)}, "needs VISION_MMPROJ, the GGUF file of the eyes of aisle"),
        (
            {"VISION_GGUF": str(MODEL), "VISION_MMPROJ": str(MODEL)},
            "VISION_MMPROJ: .* holds a model, not its eyes",
        ),
        (
            {"VISION_GGUF": str(MODEL), "VISION_MMPROJ": str(EYES), "VISION_CONTEXT": "8k"},
            "VISION_CONTEXT: 8k is not a number of tokens, such as 8192",
        ),
        ({"VISION_ENGINE_URL": "http://a"}, r"needs REASONING_GGUF, .*Or set REASONING_ENGINE_URL"),
    ],
)
def test_what_is_wrong_with_gguf_files_is_told_with_what_to_do(said, variables, told):
    said(**variables)
    with pytest.raises(Trouble, match=f"(?s){told}"):
        engines("cpu")


@pytest.mark.parametrize("head", [b"GGUF", b"GGUF" + b"\xff" * 200])
def test_a_gguf_file_that_does_not_say_what_it_is_is_left_to_llama(said, tmp_path, head):
    path = tmp_path / "odd.gguf"
    path.write_bytes(head)
    said(VISION_GGUF=str(path), VISION_MMPROJ=str(path))
    command = engines("cpu")[0].command
    assert option(command, "--model") == option(command, "--mmproj") == str(path)


@pytest.fixture
def vllm(said, tmp_path):
    """An interpreter whose vLLM says what it runs on."""

    def make(*lines: str) -> Path:
        path = tmp_path / "python"
        path.write_text("\n".join(("#!/bin/sh", *lines)))
        path.chmod(0o755)
        said(VLLM_PYTHON=str(path))
        return path

    return make


def test_two_models_share_a_card_and_start_one_after_the_other(vllm):
    python = vllm("echo INFO something", "echo platform: cuda")
    vision, reasoning = engines("gpu")
    assert vision.model == "Qwen/Qwen2.5-VL-7B-Instruct"
    assert reasoning.model == "Qwen/Qwen2.5-7B-Instruct"
    for engine in (vision, reasoning):
        assert str(python) in engine.command
        assert option(engine.command, "--model") == engine.model
        assert option(engine.command, "--gpu-memory-utilization") == "0.45"
        assert engine.has_log
    assert (vision.needs, reasoning.needs) == ((), ("vision-engine",))


def test_models_on_cards_of_their_own_take_all_of_them(said, vllm):
    vllm("echo platform: cuda")
    said(VISION_DEVICES="0,1", VISION_VLLM_ARGS="--tensor-parallel-size 2", REASONING_DEVICES="2")
    vision, reasoning = engines("gpu")
    assert option(vision.command, "--tensor-parallel-size") == "2"
    assert vision.environment["CUDA_VISIBLE_DEVICES"] == "0,1"
    assert reasoning.environment["CUDA_VISIBLE_DEVICES"] == "2"
    for engine in (vision, reasoning):
        assert option(engine.command, "--gpu-memory-utilization") == "0.90"
        assert engine.needs == ()


def test_models_that_have_one_card_in_common_share_it(said, vllm):
    vllm("echo platform: cuda")
    said(VISION_DEVICES="1, 0", REASONING_DEVICES="")
    assert [option(it.command, "--gpu-memory-utilization") for it in engines("gpu")] == ["0.45"] * 2


def test_one_model_for_both_rooms_is_one_server(said, vllm):
    vllm("echo platform: rocm")
    said(VISION_MODEL=str(AISLE / "hf"), REASONING_MODEL=str(AISLE / "hf"))
    said(VISION_VLLM_ARGS="--gpu-memory-utilization 0.5 --hf-overrides '{\"a\": 1}'")
    [engine] = engines("gpu")
    assert (engine.rooms, engine.model) == (ROOMS, "hf")
    assert option(engine.command, "--model") == str(AISLE / "hf")
    assert option(engine.command, "--gpu-memory-utilization") == "0.5"
    assert option(engine.command, "--hf-overrides") == '{"a": 1}'


def test_one_vllm_beside_an_engine_elsewhere_takes_the_whole_card(said, vllm):
    vllm("echo platform: cuda")
    said(REASONING_ENGINE_URL="http://b/v1")
    [engine] = engines("gpu")
    assert (engine.name, option(engine.command, "--gpu-memory-utilization")) == (
        "vision-engine",
        "0.90",
    )


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        (("echo platform: none",), "finds no accelerator .* nvidia-smi .* --profile cpu"),
        (("echo 'ImportError: libcudart.so.12' >&2", "exit 1"), "cannot be loaded: ImportError: l"),
        (("exit 1",), "cannot be loaded: it said nothing"),
        (("exec sleep 9",), "was not loaded in 0 s"),
    ],
)
def test_a_vllm_that_cannot_run_here_is_told(vllm, monkeypatch, lines, told):
    if "sleep" in lines[0]:
        monkeypatch.setattr(profiles.gpu.vllm, "ANSWER_SECONDS", 0.1)
    python = vllm(*lines)
    with pytest.raises(Trouble, match=told) as trouble:
        engines("gpu")
    assert str(python) in str(trouble.value) or "accelerator" in told


def test_a_python_without_vllm_is_told_how_to_get_it(said):
    said(VLLM_PYTHON=sys.executable)
    with pytest.raises(Trouble, match=f"{sys.executable} -m pip install vllm.*VLLM_PYTHON"):
        engines("gpu")


def test_a_python_that_is_not_there_is_told(said):
    said(VLLM_PYTHON="/nowhere/python")
    with pytest.raises(Trouble, match="VLLM_PYTHON: /nowhere/python cannot be run: No such file"):
        engines("gpu")


@pytest.mark.parametrize(
    ("variables", "told"),
    [
        ({"VISION_MODEL": "/nowhere"}, "VISION_MODEL: /nowhere holds no model: .*config.json"),
        ({"REASONING_MODEL": "./nowhere"}, "REASONING_MODEL: nowhere holds no model"),
        ({"VISION_VLLM_ARGS": "--a 'b"}, "VISION_VLLM_ARGS cannot be read: No closing quotation"),
    ],
)
def test_what_is_wrong_with_what_vllm_is_to_serve_is_told(said, vllm, variables, told):
    vllm("echo platform: cuda")
    said(**variables)
    with pytest.raises(Trouble, match=told):
        engines("gpu")
