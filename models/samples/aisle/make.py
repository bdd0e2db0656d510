"""Draws the sample task: the pictures of one camera, and when the stocking truly began and ended.

`python -m models.samples.aisle.make` writes `frame-000.jpg`, ... and `truth.json` beside this file.
All are committed; drawing them anew gives the same pictures.
"""

import json
import random
from pathlib import Path
from typing import Final

from models.aisle.world import task_sequence

FOLDER: Final = Path(__file__).parent
SEED: Final = 2026
FRAMES: Final = 36
INTERVAL_SECONDS: Final = 2.0
BEGIN: Final = "2026-03-02T08:00:00Z"
"""When the first picture was taken."""
TASK: Final = "A worker is stocking the shelf"
JPEG_QUALITY: Final = 85


def main() -> None:
    """Draw every frame and write the truth."""
    for old in FOLDER.glob("*.jpg"):
        old.unlink()
    drawn = task_sequence(
        random.Random(SEED), frame_count=FRAMES, interval_seconds=INTERVAL_SECONDS
    )
    frames = []
    for index, frame in enumerate(drawn.frames):
        file = f"frame-{index:03d}.jpg"
        frame.draw().save(FOLDER / file, quality=JPEG_QUALITY)
        frames.append(
            {
                "file": file,
                "id": frame.image_id,
                "offset_seconds": frame.offset_seconds,
                "caption": frame.scene.caption,
            }
        )
    truth = {
        "task": TASK,
        "begin": BEGIN,
        "start_index": drawn.start_index,
        "end_index": drawn.end_index,
        "frames": frames,
    }
    (FOLDER / "truth.json").write_text(json.dumps(truth, indent=2) + "\n")


if __name__ == "__main__":
    main()
