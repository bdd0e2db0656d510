"""The aisle model: a small Qwen2.5-VL trained on drawn shop aisles.

`world` needs Pillow alone and is what the demo, the sample data and the tests import. The other
modules train, convert and measure the model, and want torch or a running engine.
"""
