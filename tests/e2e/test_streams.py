"""Answers that come as the models write them, as server-sent events."""

import base64
import json

import pytest

from tests.e2e import clients


async def events(mesh, path, asked):
    async with mesh.http.post(path, json=asked) as answer:
        assert answer.status == 200, await answer.text()
        assert answer.content_type == "text/event-stream"
        return [
            json.loads(line.removeprefix(b"data:"))
            async for line in answer.content
            if line.startswith(b"data:")
        ]


def question(*parts, **sampling):
    return {
        "messages": [{"role": "ROLE_USER", "parts": list(parts)}],
        "sampling": {"temperature": 0, **sampling},
    }


@pytest.mark.parametrize("frame", [0, 12])
async def test_a_picture_is_described_piece_by_piece(mesh, frame):
    drawn = clients.sequence().frames[frame]
    picture = {"image": {"data": base64.b64encode(clients.jpeg(drawn)).decode()}}
    asked = question(picture, {"text": "Describe this image."})
    *pieces, last = await events(mesh, "/mesh/v1/vision:generateStream", asked)
    assert len(pieces) > 1
    assert "".join(it["delta"] for it in pieces) == drawn.scene.caption
    assert {it["finish_reason"] for it in pieces} == {"FINISH_REASON_UNSPECIFIED"}
    assert last["finish_reason"] == "FINISH_REASON_STOP"
    assert last["usage"]["output_tokens"] >= len(pieces)
    assert float(last["usage"]["processing_time"].rstrip("s")) > 0
    async with mesh.http.get("/mesh/v1/vision/model") as told:
        assert last["model"] == (await told.json())["model"]["name"]


async def test_language_answers_piece_by_piece_up_to_its_most_tokens(mesh):
    asked = question({"text": "Count from one to twenty, in words."}, max_tokens=8)
    *pieces, last = await events(mesh, "/mesh/v1/reasoning:generateStream", asked)
    assert len(pieces) > 1
    assert all(it["delta"] for it in pieces)
    assert last["finish_reason"] == "FINISH_REASON_LENGTH"
    assert last["usage"]["output_tokens"] == 8
