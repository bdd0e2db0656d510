import sys
from pathlib import Path

import pytest

from sensorium.errors import Trouble
from sensorium.launcher import plan, ports, profiles
from sensorium.launcher.database import Database
from sensorium.launcher.engine import Engine
from sensorium.launcher.profiles import local
from services.chassis import names


@pytest.fixture(autouse=True)
def _nothing_elsewhere(monkeypatch):
    names = ("VISION_ENGINE_URL", "REASONING_ENGINE_URL", "OTEL_EXPORTER_OTLP_ENDPOINT")
    for name in (*names, "OLLAMA_HOST", "AUDIO_MODEL"):
        monkeypatch.delenv(name, raising=False)


def planned(language="0.5b", name="local", edge="127.0.0.1:8080"):
    profile = profiles.chosen(name, language)
    return plan_of(profile.engines, profile.told, edge)


def plan_of(engines, told, edge="127.0.0.1:8080"):
    database = Database(Path("/pg/bin"), Path("/data/postgres"), Path("/run/x/postgres"), None)
    media, logs, run = Path("/data/media"), Path("/data/logs"), Path("/run/x")
    inside = plan.Inside(edge, database, media, "a key", logs, run, ports.free())
    return {program.name: program for program in plan.plan(inside, engines, told)}


def test_everything_needed_is_in_the_plan_and_stands_no_higher():
    programs = planned()
    for program in programs.values():
        for need in program.needs:
            assert programs[need].tier <= program.tier


def test_the_edge_stops_first_and_the_database_last():
    tiers = {name: program.tier for name, program in planned().items()}
    assert max(tiers, key=tiers.get) in (names.GATEWAY, plan.EDGE_CONFIG)
    assert min(tiers, key=tiers.get) == "postgres"
    assert tiers[names.WORKER] > tiers[names.VISION] > tiers["vision-engine"]


def test_rooms_are_told_where_their_engines_and_peers_are():
    programs = planned("1.5b")
    engine = programs["reasoning-engine"].command
    port = engine[engine.index("--port") + 1]
    room = programs[names.REASONING].environment
    assert room["REASONING_ENGINE_URL"] == f"http://127.0.0.1:{port}/v1"
    assert room["REASONING_MODEL"] == engine[engine.index("--alias") + 1] == "qwen2.5-coder-1.5b"
    listen = room["REASONING_LISTEN"]
    assert programs[names.WORKER].environment["JOBS_REASONING_TARGET"] == listen
    assert programs[plan.EDGE_CONFIG].environment["GATEWAY_REASONING_TARGET"] == listen
    bridge = programs[names.BRIDGE].environment
    for room in (names.JOBS, names.VISION, names.REASONING, names.AUDIO):
        listen = programs[room].environment[f"{room.upper()}_LISTEN"]
        assert bridge[f"BRIDGE_{room.upper()}_TARGET"] == listen


def test_the_jobs_room_and_its_workers_share_a_folder_of_media():
    programs = planned()
    told = [programs[it].environment["JOBS_MEDIA_URL"] for it in (names.JOBS, names.WORKER)]
    assert told == ["file:///data/media"] * 2


def test_webhooks_are_signed_alike_wherever_they_are_sent():
    programs = planned()
    for name in (names.JOBS, names.WORKER):
        assert programs[name].environment["JOBS_WEBHOOK_KEYS"] == "a key"


def test_receivers_on_this_machine_are_called_where_nobody_else_can_ask_for_it(monkeypatch):
    allowed = "JOBS_WEBHOOK_ALLOW"
    for name in (names.JOBS, names.WORKER):
        assert planned()[name].environment[allowed] == "localhost,127.0.0.0/8,::1"
        assert allowed not in planned(edge="0.0.0.0:8080")[name].environment
    monkeypatch.setenv(allowed, "10.1.0.0/16")
    assert allowed not in planned()[names.JOBS].environment


def test_the_vision_room_says_what_its_model_knows():
    told = planned()[names.VISION].environment
    assert told["VISION_MODEL_NOTICE"] == local.NOTICE
    assert told["VISION_FOLLOWS_INSTRUCTIONS"] == "false"
    assert "REASONING_FOLLOWS_INSTRUCTIONS" not in planned()[names.REASONING].environment


def test_the_vision_room_finds_uploads_where_jobs_are():
    programs = planned()
    jobs = programs[names.JOBS].environment["JOBS_LISTEN"]
    assert programs[names.VISION].environment["VISION_JOBS_TARGET"] == jobs


def test_every_address_is_used_once():
    listening = [
        value
        for program in planned().values()
        for name, value in program.environment.items()
        if name.endswith("_LISTEN")
    ]
    assert len(listening) == len(set(listening)) == 8


def test_an_engine_that_runs_elsewhere_is_used_and_not_started(monkeypatch):
    monkeypatch.setenv("REASONING_ENGINE_URL", "http://engine:8000/v1")
    programs = planned()
    assert "reasoning-engine" not in programs
    assert "vision-engine" in programs
    assert "REASONING_ENGINE_URL" not in programs[names.REASONING].environment
    assert profiles.chosen("local", "1.5b").models == ("whisper-base",)


@pytest.mark.parametrize(
    ("named", "fetched"),
    [("whisper-tiny.en", ("whisper-tiny.en",)), ("/models/mine", ()), ("", ("whisper-base",))],
)
def test_the_speech_model_is_the_one_that_is_named(monkeypatch, named, fetched):
    monkeypatch.setenv("AUDIO_MODEL", named)
    model = planned()[names.AUDIO].environment["AUDIO_MODEL"]
    assert model == (named or "whisper-base")
    assert profiles.chosen("local", "1.5b").models == (*fetched, "language-1.5b")


@pytest.mark.parametrize(
    ("said", "address"), [(None, "http://127.0.0.1:11434"), ("gpu:9", "gpu:9")]
)
def test_the_profile_ollama_starts_no_engine_and_tells_both_rooms_of_it(monkeypatch, said, address):
    if said:
        monkeypatch.setenv("OLLAMA_HOST", said)
    programs = planned(name="ollama")
    assert not {"vision-engine", "reasoning-engine"} & set(programs)
    for room in (names.VISION, names.REASONING):
        assert programs[room].environment["OLLAMA_HOST"] == address
    profile = profiles.chosen("ollama", "1.5b")
    assert (profile.models, profile.notices) == (("whisper-base",), ())


def test_an_ollama_that_happens_to_run_does_not_change_the_local_profile(monkeypatch):
    monkeypatch.setenv("OLLAMA_HOST", "http://127.0.0.1:11434")
    programs = planned()
    assert programs[names.VISION].environment["VISION_ENGINE_URL"].endswith("/v1")


def test_a_collector_gets_the_traces_of_the_edge_too(monkeypatch):
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", "http://collector:4317")
    assert planned()[plan.EDGE_CONFIG].environment["GATEWAY_OTLP_TARGET"] == "collector:4317"


def test_a_room_waits_for_an_engine_that_may_take_long_and_an_engine_for_those_it_needs():
    slow = Engine((names.VISION,), "slow", ("serve",), ready_seconds=900)
    fast = Engine((names.REASONING,), "fast", ("serve",), needs=(slow.name,))
    programs = plan_of((slow, fast), {})
    assert programs[names.VISION].needs == (slow.name,)
    assert programs[slow.name].ready_seconds == 900
    assert programs[names.REASONING].needs == ()
    assert programs[fast.name].needs == (slow.name,)


def test_an_engine_of_both_rooms_is_started_once_and_both_are_told_of_it():
    both = Engine(
        (names.VISION, names.REASONING), "mine", ("serve",), environment={"A": "b"}, has_log=True
    )
    programs = plan_of((both,), {})
    engine = programs["engine"]
    assert engine.environment == {"A": "b"}
    assert engine.log == Path("/data/logs/engine.log")
    assert engine.command[:2] == ("serve", "--port")
    for room in (names.VISION, names.REASONING):
        told = programs[room].environment
        assert told[f"{room.upper()}_ENGINE_URL"] == f"http://127.0.0.1:{engine.command[2]}/v1"
        assert told[f"{room.upper()}_MODEL"] == "mine"


def test_a_mesh_without_its_parts_installed_is_told_which(monkeypatch):
    monkeypatch.setitem(sys.modules, "envoy", None)
    with pytest.raises(Trouble, match=r"pip install 'sensorium\[local\]'"):
        planned()
