"""Frames of a camera, a file or an RTSP address, for clients of the mesh."""

from sensorium.video.capture import Camera, Frame, Look
from sensorium.video.stream import VideoStream

__all__ = ["Camera", "Frame", "Look", "VideoStream"]
