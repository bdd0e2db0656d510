"""The demo: the main job on a whole mesh, over the wire, with the truth beside every answer."""
