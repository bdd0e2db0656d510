"""A transcript as subtitles, SubRip (SRT) and WebVTT. Total, and without I/O."""

from mesh.types.v1 import transcript_pb2 as pb


def srt(transcript: pb.Transcript) -> str:
    """Write SubRip: numbered cues, times with a comma."""
    return "\n".join(
        f"{number}\n{_times(segment, ',')}\n{_said(segment)}\n"
        for number, segment in enumerate(transcript.segments, 1)
    )


def vtt(transcript: pb.Transcript) -> str:
    """Write WebVTT: a header, times with a point, and nothing in a cue that could be markup."""
    written = ["WEBVTT\n"]
    for segment in transcript.segments:
        text = _escaped(_line(segment.text))
        voice = f"<v {_escaped(_line(segment.speaker))}>" if segment.speaker else ""
        written.append(f"{_times(segment, '.')}\n{voice}{text}\n")
    return "\n".join(written)


def _said(segment: pb.Segment) -> str:
    return _line(f"{segment.speaker}: {segment.text}" if segment.speaker else segment.text)


def _line(text: str) -> str:
    # An empty line would end the cue, and an arrow begin another.
    return " ".join(text.split()).replace("-->", "->")


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _times(segment: pb.Segment, point: str) -> str:
    start, end = segment.start_offset.ToMilliseconds(), segment.end_offset.ToMilliseconds()
    # A word may be heard in no time at all, but what has no length is no cue.
    return f"{_time(start, point)} --> {_time(max(end, start + 1), point)}"


def _time(milliseconds: int, point: str) -> str:
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    whole, parts = divmod(rest, 1_000)
    return f"{hours:02}:{minutes:02}:{whole:02}{point}{parts:03}"
