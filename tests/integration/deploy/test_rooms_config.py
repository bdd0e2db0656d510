"""What the chart tells a pod is what its room reads: nothing lacks, nothing is in vain."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import chart
from gateway.bridge.config import BridgeConfig
from services.audio.config import AudioConfig
from services.chassis.config import Config
from services.jobs.config import (
    DatabaseConfig,
    DomainAddresses,
    DomainConfig,
    JobsConfig,
    PeersConfig,
    WebhookConfig,
    WorkerConfig,
)
from services.reasoning.config import ReasoningConfig
from services.vision.config import VisionConfig
from tests.doubles import keys

CONFIGS: dict[str, list[type[Config]]] = {
    "jobs": [JobsConfig, WebhookConfig, DomainAddresses],
    "worker": [WorkerConfig, PeersConfig, WebhookConfig, DomainConfig],
    "vision": [VisionConfig],
    "reasoning": [ReasoningConfig],
    "audio": [AudioConfig],
    "bridge": [BridgeConfig],
    "migrations": [DatabaseConfig],
}
SECRETS = {
    "JOBS_DATABASE_URL": "postgresql+psycopg://u:p@postgres/jobs",
    "JOBS_WEBHOOK_KEYS": keys.WEBHOOK_KEYS,
}


@pytest.fixture(scope="module")
def pods() -> dict[str, Any]:
    text = chart.render(chart.EXAMPLES / "production" / "values.yaml")
    return {
        manifest["metadata"]["labels"]["app.kubernetes.io/component"]: manifest["spec"]["template"]
        for manifest in yaml.safe_load_all(text)
        if manifest and manifest["kind"] in {"Deployment", "Job"}
    }


def variables(config: type[Config]) -> set[str]:
    prefix = config.model_config.get("env_prefix", "")
    return {
        str(field.validation_alias or f"{prefix}{name}".upper())
        for name, field in config.model_fields.items()
    }


def put_in_place(pod: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """Give this process the pod's variables and files; return the names of both."""
    (container,) = pod["spec"]["containers"]
    told = {variable["name"]: variable["value"] for variable in container.get("env", [])}
    for name, value in told.items():
        monkeypatch.setenv(name, value)
    files = {
        item["path"]
        for volume in pod["spec"]["volumes"]
        for source in volume.get("projected", {}).get("sources", [])
        for item in source["secret"]["items"]
    }
    for name in files:
        (folder / name).write_text(SECRETS.get(name, "a key"))
    monkeypatch.setenv("SECRETS_DIR", str(folder))
    return {name for name in told if not name.startswith("OTEL_")} | files


@pytest.mark.parametrize("room", CONFIGS)
def test_a_pod_is_told_what_its_room_reads_and_nothing_else(
    room: str, pods: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = put_in_place(pods[room], tmp_path, monkeypatch)
    for config in CONFIGS[room]:
        config.load()
    assert told <= set().union(*map(variables, CONFIGS[room]))
