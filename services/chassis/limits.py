"""The one table of limits: Envoy, gRPC, WebSocket and the decoders all take their numbers from
here.
"""

from datetime import timedelta
from typing import Final

MEBIBYTE: Final = 1024 * 1024

BODY_BYTES: Final = 32 * MEBIBYTE
"""The largest request or message body, on every path."""
BODY_OVERHEAD_BYTES: Final = MEBIBYTE
"""What a message may hold beside a body of the largest size: ids, prompts, framing."""
SOCKET_MESSAGE_BYTES: Final = 16 * MEBIBYTE
"""The largest message on a WebSocket: what the Local Models API took, a frame of 8 MiB as base64 in
JSON among it.
"""
HEADER_KIBIBYTES: Final = 60
"""The largest set of request headers at the edge; Envoy's own default."""

SOCKETS: Final = 6_144
"""The most WebSockets that one bridge holds."""
EDGE_CONNECTIONS: Final = 8_192
"""The most connections that clients may hold to the edge, those of WebSockets among them."""
EDGE_HEAP_BYTES: Final = 1024 * MEBIBYTE
"""The memory of the edge, close to which it refuses requests: some thirty bodies of the largest
size at once.
"""

IMAGE_SIDE_PIXELS: Final = 16_384
"""The longest side of a picture, read from its header before any pixel is decoded."""
IMAGE_PIXELS: Final = 8_192 * 6_144
"""The most pixels of a picture: what phones call 50 megapixels, about 150 MB once decoded, the most
one request may cost.
"""
ANSWER_TOKENS: Final = 32_768
"""The most tokens that an answer may be asked to have."""
IMAGES_PER_REQUEST: Final = 16
"""The most pictures in one conversation sent to an engine."""

FRAME_BYTES: Final = 8 * MEBIBYTE
"""The largest frame of a stream."""
WINDOW_BYTES: Final = 16 * MEBIBYTE
"""The most bytes of frames that a room keeps of one stream, beside those that are being answered.
"""

VIDEO_PIXELS: Final = 4_096 * 2_304
"""The most pixels of a video's frame: what cameras call 4K. A decoder keeps up to 16 of them."""
VIDEO_SECONDS: Final = 60 * 60
"""The longest video."""
VIDEOS_PER_REQUEST: Final = 4
"""The most videos in one conversation sent to an engine."""

AUDIO_SECONDS: Final = 4 * 60 * 60
"""The longest recording."""
RECORDING_BYTES: Final = 768 * MEBIBYTE
"""The largest recording that comes in parts, unless the operator says otherwise: four hours at
400 kbit/s, of any sound, and of a small video.
"""

UNARY_DEADLINE: Final = timedelta(seconds=120)
"""The time that a unary call gets when its caller names none."""
ANSWER_DEADLINE: Final = timedelta(minutes=10)
"""The time that an answer gets which people wait for, such as a long one of a chat."""
STREAM_DEADLINE: Final = timedelta(hours=6)
"""The time that a stream gets when its caller names none."""
RECORDING_DEADLINE: Final = STREAM_DEADLINE
"""The time that the edge gives to a recording: the longest there may be, on a machine that hears no
faster than people speak.
"""
UNREAD_DEADLINE: Final = timedelta(seconds=60)
"""The time that a response of a stream may wait for a caller who does not read."""
CONCURRENT_CALLS: Final = 1_024
"""The most calls that one room works on at once; further ones are refused at once."""
