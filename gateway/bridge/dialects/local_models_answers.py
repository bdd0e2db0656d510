"""What the audio socket of the Local Models API tells its clients, each a text message of JSON.
Most of them take the place of an older one of their kind that was not read yet.
"""

import json
from typing import Any, Final

from mesh.audio.v1 import audio_service_pb2 as audio_pb
from mesh.jobs.v1 import session_pb2, session_service_pb2

from gateway.bridge.answers import renamed
from gateway.bridge.dialects.local_models_analysis import final_result
from gateway.bridge.session import Close, Code, Say
from services.chassis import errors

TAIL: Final = 2_000
"""How much of what was heard a partial result tells, in characters."""
TOO_LONG: Final = "AUDIO_TOO_LONG"
_FIELDS: Final = {
    "settings.sample_rate_hz": "sample_rate",
    "settings.": "",
    "chunk: ": "audio: ",
}
_CLOSES: Final = {errors.Exhausted: Code.TRY_AGAIN_LATER, errors.Conflict: Code.NORMAL}


def ready() -> Say:
    """Greet a client that waits."""
    return _say("ready")


def session(opened: session_service_pb2.SessionReady) -> Say:
    """Tell what a client needs to take its session up again."""
    return _say(
        "session",
        session_id=opened.session_id,
        resume_token=opened.resume_token,
        next_offset=opened.next_offset,
        kept_seconds=opened.kept_for.ToTimedelta().total_seconds(),
    )


def acknowledged(offset: int) -> Say:
    """Tell how much of the audio need not be sent again."""
    return _newest("acknowledged", offset=offset)


def partial(session_id: str, before: str, heard: audio_pb.PartialText) -> Say | None:
    """Tell the end of what was heard so far; None while it is nothing."""
    text = f"{before} {heard.committed}{heard.tentative}".strip()[-TAIL:]
    tentative = heard.tentative.strip()
    if not text:
        return None
    return _newest("partial_result", session_id=session_id, text=text, tentative=tentative)


def progress(session_id: str, made: session_pb2.AnalysisProgress) -> Say:
    """Tell how far the analysis is."""
    return _newest("progress", session_id=session_id, asked=made.asked, answered=made.answered)


def final(session_id: str, made: session_pb2.SessionAnalysis) -> Say:
    """Tell what a session came to."""
    return Say(final_result(session_id, made).model_dump_json())


def warning(message: str) -> Say:
    """Tell of something that was left out, while the rest goes on."""
    return _newest("warning", message=message)


def error(wrong: errors.MeshError) -> Say:
    """Tell why a session is over, or was none."""
    return _newest("error", code=wrong.code, message=renamed(str(wrong), _FIELDS))


def close_after(wrong: errors.MeshError) -> Close | None:
    """The end of the socket, where an error is one that ends it."""
    code = Code.TOO_LARGE if wrong.code == TOO_LONG else _CLOSES.get(type(wrong))
    return Close(code, str(wrong)) if code is not None else None


def _newest(kind: str, **fields: Any) -> Say:
    return _say(kind, instead=kind, **fields)


def _say(kind: str, *, instead: str = "", **fields: Any) -> Say:
    return Say(json.dumps({"type": kind, **fields}), instead)
