"""The rooms of the mesh and what they stand on."""

import os

# Rooms start decoders as processes of their own, and the event loop does that by forking. gRPC
# would start threads in the fork, where one in thirty broke down before the program began. It asks
# this once, when it is imported, so it is said before any room can.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
