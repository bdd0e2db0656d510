import hashlib
from pathlib import Path

import models.aisle

WEIGHTS = Path(models.aisle.__file__).parent / "weights"
MEGABYTE = 2**20


def test_the_weights_are_the_ones_whose_digests_stand_beside_them():
    lines = (WEIGHTS / "SHA256SUMS").read_text().splitlines()
    digests = {name: digest for digest, name in (line.split("  ") for line in lines)}
    files = {path for path in WEIGHTS.rglob("*") if path.is_file() and path.name != "SHA256SUMS"}
    assert {path.relative_to(WEIGHTS).as_posix() for path in files} == set(digests)
    for name, digest in digests.items():
        assert hashlib.sha256((WEIGHTS / name).read_bytes()).hexdigest() == digest


def test_the_weights_are_small_enough_to_live_in_the_repository():
    assert sum(path.stat().st_size for path in WEIGHTS.rglob("*")) < 20 * MEGABYTE
