"""The rooms of the mesh and what they stand on."""

import os

# Rooms start decoders as processes of their own, and the event loop does that by forking. gRPC
# would start threads in the fork, where one in thirty broke down before the program began. It asks
# this once, when it is imported, so it is said before any room can.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
# Streams of one session find the same replica by a ring of hashes (gRFC A76). gRPC hashes what
# their metadata say only where it is told to, and this too it asks once.
os.environ["GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY"] = "true"
