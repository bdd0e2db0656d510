"""One file for each system that the mesh replaces: its calls, its shapes, its errors, and one for
each of its sockets.
"""

from gateway.bridge.dialects import (
    caption_queue,
    front,
    local_models,
    local_models_socket,
    openai,
    openai_realtime,
    vila,
    vlm_node,
    vlm_node_socket,
    vlm_server,
)
from gateway.bridge.exchange import Dialect
from gateway.bridge.session import Socket


def dialects(*, queue_workers: int | None = None) -> tuple[Dialect, ...]:
    """All of them. `queue_workers`: how many captions are written at once; None: nobody says."""
    return (
        front.DIALECT,
        vlm_node.DIALECT,
        vlm_server.DIALECT,
        caption_queue.dialect(queue_workers),
        local_models.DIALECT,
        openai.DIALECT,
    )


def sockets(*, image_batch: int = 5, vila_prompt: str = vila.PROMPT) -> tuple[Socket, ...]:
    """All sockets. `image_batch`: how many pictures vlm-node's clients are answered at once."""
    return (
        vlm_node_socket.socket(batch=image_batch),
        *vila.sockets(prompt=vila_prompt),
        local_models_socket.socket(),
        openai_realtime.socket(),
    )
