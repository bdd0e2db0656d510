"""What gRPC cannot carry: the wire protocols of the systems that the mesh replaces, each translated
to the contract. It holds no logic of its own.
"""
