"""The chart refuses what could not work, in words, and renders what was asked for."""

import base64
from pathlib import Path
from typing import Any

import pytest
import yaml

from deploy import chart

SMALL = chart.EXAMPLES / "small" / "values.yaml"


def rendered(*settings: str) -> dict[tuple[str, str], Any]:
    manifests = yaml.safe_load_all(chart.render(SMALL, *settings))
    return {
        (manifest["kind"], manifest["metadata"]["name"]): manifest
        for manifest in manifests
        if manifest
    }


def environment(deployment: Any) -> dict[str, str]:
    container = deployment["spec"]["template"]["spec"]["containers"][0]
    return {variable["name"]: variable["value"] for variable in container["env"]}


@pytest.mark.parametrize(
    ("setting", "sentence"),
    [
        ('gateway.jwks=""', "gateway.jwks is empty: the gateway listens beyond loopback"),
        ('gateway.jwks="{}"', "gateway.jwks is not a JSON Web Key Set"),
        ('gateway.jwks="not json"', "gateway.jwks is not a JSON Web Key Set"),
        (
            r'gateway.jwks="{\"keys\":[{\"kty\":\"OKP\",\"d\":\"secret\"}]}"',
            "gateway.jwks holds a private or symmetric key",
        ),
        ('database.secret=""', "database.secret is empty: name the Secret"),
        ('domain.apiUrl="https://api.example.com"', "give domain.ddsUrl too, and in domain.secret"),
        ('media.claim=""', "media.url or media.claim must be given, and not both"),
        ('media.url="s3://media"', "media.url or media.claim must be given, and not both"),
        ('engines.vision.url=""', "engines.vision.url is empty: give the address"),
        ('rooms.audio.modelsClaim=""', "rooms.audio.modelsClaim is empty: name the Persistent"),
        (
            'rooms.worker.peers.JOBS_SMELL_TARGET="smell"',
            "rooms.worker.peers.JOBS_SMELL_TARGET names smell, which is no room of this chart",
        ),
    ],
)
def test_a_setting_that_cannot_work_is_refused_with_a_sentence(setting: str, sentence: str) -> None:
    with pytest.raises(chart.ChartError, match=sentence):
        chart.render(SMALL, setting)


@pytest.mark.parametrize(
    ("setting", "where"),
    [
        ("gatway={}", "gatway"),
        ("rooms.vision.replica=3", "replica"),
        ('rooms.vision.replicas="3"', "/rooms/vision/replicas"),
        ('engines.vision.url="vllm:8000"', "/engines/vision/url"),
        ('rooms.worker.peers.vision="vision"', "invalid propertyName 'vision'"),
        ('telemetry.collector="http://collector:4317"', "/telemetry/collector"),
        ('gateway.serviceType="Door"', "/gateway/serviceType"),
    ],
)
def test_the_schema_refuses_a_wrong_name_or_type_and_says_where(setting: str, where: str) -> None:
    with pytest.raises(chart.ChartError, match=where):
        chart.render(SMALL, setting)


def test_a_room_takes_the_defaults_and_overrides_them_by_name() -> None:
    manifests = rendered("defaults.replicas=2", "rooms.vision.replicas=5")
    assert manifests["Deployment", "sensorium-vision"]["spec"]["replicas"] == 5
    assert manifests["Deployment", "sensorium-jobs"]["spec"]["replicas"] == 2


def test_only_a_room_with_several_replicas_has_a_disruption_budget() -> None:
    manifests = rendered("rooms.vision.replicas=2")
    budgets = [name for kind, name in manifests if kind == "PodDisruptionBudget"]
    assert budgets == ["sensorium-vision"]


def test_a_room_added_by_values_alone_is_deployed_and_can_be_called() -> None:
    manifests = rendered(
        'rooms.smell={"module": "services.smell"}',
        'rooms.worker.peers.JOBS_SMELL_TARGET="smell"',
    )
    assert ("Service", "sensorium-smell") in manifests
    worker = environment(manifests["Deployment", "sensorium-worker"])
    assert worker["JOBS_SMELL_TARGET"] == "sensorium-smell:8080"
    assert worker["JOBS_VISION_TARGET"] == "sensorium-vision:8080"


def test_every_pod_is_restricted_and_holds_no_cluster_credentials() -> None:
    pods = [
        manifest["spec"]["template"]["spec"]
        for (kind, _), manifest in rendered().items()
        if kind in {"Deployment", "Job"}
    ]
    assert len(pods) == 8
    for pod in pods:
        assert pod["automountServiceAccountToken"] is False
        assert pod["securityContext"]["runAsNonRoot"] is True
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        for container in [*pod["containers"], *pod.get("initContainers", [])]:
            assert container["securityContext"] == {
                "allowPrivilegeEscalation": False,
                "readOnlyRootFilesystem": True,
                "capabilities": {"drop": ["ALL"]},
            }


def test_a_pod_is_given_longer_to_end_than_it_takes_to_drain() -> None:
    manifests = rendered("defaults.drainSeconds=300", "gateway.drainSeconds=300")
    deployments = [manifest for (kind, _), manifest in manifests.items() if kind == "Deployment"]
    for deployment in deployments:
        assert deployment["spec"]["template"]["spec"]["terminationGracePeriodSeconds"] > 305


def test_secrets_are_files_and_never_variables() -> None:
    manifests = rendered('engines.vision.secret="engines"')
    vision = manifests["Deployment", "sensorium-vision"]["spec"]["template"]["spec"]
    (source,) = vision["volumes"][1]["projected"]["sources"]
    assert source["secret"]["items"] == [
        {"key": "VISION_ENGINE_API_KEY", "path": "VISION_ENGINE_API_KEY"}
    ]
    assert {"name": "secrets", "mountPath": "/run/secrets", "readOnly": True} in vision[
        "containers"
    ][0]["volumeMounts"]
    for (kind, _), manifest in manifests.items():
        if kind == "Deployment" and "env" in manifest["spec"]["template"]["spec"]["containers"][0]:
            assert not {"JOBS_DATABASE_URL", "VISION_ENGINE_API_KEY"} & set(environment(manifest))


def test_a_key_for_webhooks_is_made_and_kept_where_none_is_named() -> None:
    manifests = rendered('webhooks.secret=""')
    secret = manifests["Secret", "sensorium-webhooks"]
    assert secret["metadata"]["annotations"] == {"helm.sh/resource-policy": "keep"}
    key = base64.b64decode(secret["data"]["JOBS_WEBHOOK_KEYS"])
    assert len(base64.b64decode(key, validate=True)) == 32
    for room in ("jobs", "worker"):
        pod = manifests["Deployment", f"sensorium-{room}"]["spec"]["template"]["spec"]
        names = [it["secret"]["name"] for it in pod["volumes"][1]["projected"]["sources"]]
        assert names == ["postgres", "sensorium-webhooks"]
    assert ("Secret", "sensorium-webhooks") not in rendered()


def test_a_mistyped_field_is_no_kubernetes() -> None:
    text = chart.render(SMALL).replace("readinessProbe:", "readynessProbe:")
    with pytest.raises(chart.ChartError, match="readynessProbe"):
        chart.validate(text)


def test_a_kind_that_kubernetes_does_not_have_is_refused() -> None:
    text = chart.render(SMALL).replace("kind: NetworkPolicy", "kind: NetworkPolizei")
    with pytest.raises(chart.ChartError, match="NetworkPolizei sensorium-rooms"):
        chart.validate(text)


def test_lint_refuses_a_chart_without_a_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "Chart.yaml").write_text("apiVersion: v2\nname: nameless\n")
    monkeypatch.setattr(chart, "CHART", tmp_path)
    with pytest.raises(chart.ChartError, match="version is required"):
        chart.lint(SMALL)
