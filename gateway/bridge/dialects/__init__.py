"""One file for each system that the mesh replaces: its calls, its shapes, its errors."""

from typing import Final

from gateway.bridge.dialects import caption_queue, front, local_models, vlm_node, vlm_server
from gateway.bridge.exchange import Dialect

DIALECTS: Final[tuple[Dialect, ...]] = (
    front.DIALECT,
    vlm_node.DIALECT,
    vlm_server.DIALECT,
    caption_queue.DIALECT,
    local_models.DIALECT,
)
