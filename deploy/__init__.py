"""How the mesh leaves one machine: the chart, the image, the Compose file, and the checks that
keep all three true.
"""
