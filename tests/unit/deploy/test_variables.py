"""What a room can be told is written down for those who deploy it."""

import pytest

from deploy import chart, check
from gateway.bridge.config import BridgeConfig
from services.chassis.config import Config
from services.vision.config import VisionConfig

TEMPLATE = (chart.CHART / "templates" / "_room.tpl").read_text()
WRITTEN = (check.DEPLOY / "README.md").read_text() + (chart.CHART / "values.yaml").read_text()


@pytest.mark.parametrize("config", [VisionConfig, BridgeConfig])
def test_every_variable_is_in_the_chart_or_its_guide(config: type[Config]) -> None:
    prefix = str(config.model_config.get("env_prefix", ""))
    written = WRITTEN + TEMPLATE.replace("{{ $prefix }}_", prefix).replace(
        '"%s_', f'"{prefix.rstrip("_")}_'
    )
    names = {
        str(field.validation_alias or f"{prefix}{name}".upper())
        for name, field in config.model_fields.items()
    }
    assert len(names) > 8
    assert {it for it in names if it not in written} == set()
