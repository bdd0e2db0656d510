import subprocess
import sys

SCRIPT = """
import resource
from services.chassis import process

_, most = resource.getrlimit(resource.RLIMIT_NOFILE)
resource.setrlimit(resource.RLIMIT_NOFILE, (256, most))
process.open_many_files()
assert resource.getrlimit(resource.RLIMIT_NOFILE) == (most, most)
"""


def test_a_process_holds_as_many_connections_as_the_system_allows_it():
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
