"""Audio of a microphone, a recording or a pipe, for clients of the mesh, and what a mesh hears of
it.
"""

from sensorium.audio.capture import Microphone
from sensorium.audio.listening import analyze, listen
from sensorium.audio.stream import AudioStream

__all__ = ["AudioStream", "Microphone", "analyze", "listen"]
