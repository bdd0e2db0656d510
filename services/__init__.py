"""The rooms of the mesh and what they stand on."""

import os

# What gRPC asks once, when it is imported; so it is said before any room or bridge can.
#
# Rooms start decoders as processes of their own, and the event loop does that by forking. gRPC
# would start threads in the fork, where one in thirty broke down before the program began.
os.environ["GRPC_ENABLE_FORK_SUPPORT"] = "0"
# Streams of one session find the same replica by a ring of hashes (gRFC A76). gRPC hashes what
# their metadata say only where it is told to.
os.environ["GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY"] = "true"
# One thread waits for the network and wakes the event loop. By itself gRPC hands each message
# through threads of a pool before that, which makes a call take a seventh longer.
os.environ.setdefault("GRPC_EXPERIMENTS", "-event_engine_client,-event_engine_listener")
