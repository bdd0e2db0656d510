"""The one way in: Envoy at the edge, and the bridge for what gRPC cannot carry. It knows no room's
code.
"""

import services as services  # before gRPC is imported, to which it has something to say
