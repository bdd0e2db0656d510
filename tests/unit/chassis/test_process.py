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


TALKING = """
import asyncio
from services.chassis import process
import grpc


async def main():
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    channel = grpc.aio.insecure_channel(f"127.0.0.1:{port}")

    async def talk():
        while True:
            try:
                await channel.unary_unary("/mesh/Nothing")(b"")
            except grpc.RpcError:
                pass

    talking = asyncio.create_task(talk())
    codes = set()
    for _ in range(60):
        started = [asyncio.create_subprocess_exec("/bin/true") for _ in range(4)]
        for running in await asyncio.gather(*started):
            codes.add(await running.wait())
    talking.cancel()
    await channel.close()
    await server.stop(None)
    print(codes, flush=True)


process.run("test", main)
"""


def test_programs_that_it_starts_while_grpc_talks_begin_unharmed():
    done = subprocess.run([sys.executable, "-c", TALKING], check=True, capture_output=True)
    assert done.stdout == b"{0}\n", done.stderr.decode()[-2000:]


CALLING = """
import asyncio
import gateway.bridge
import grpc
from pathlib import Path


def wakes():
    wakes = 0
    for thread in Path("/proc/self/task").iterdir():
        if (thread / "comm").read_text().startswith("event_engine"):
            told = (thread / "status").read_text()
            wakes += int(told.partition("\\nvoluntary_ctxt_switches:")[2].split()[0])
    return wakes


async def main():
    server = grpc.aio.server()
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        before = 0
        for number in range(201):
            try:
                await channel.unary_unary("/mesh/Nothing")(b"")
            except grpc.RpcError:
                before = before or wakes()
        print(wakes() - before)
    await server.stop(None)


asyncio.run(main())
"""


def test_grpc_hands_no_call_through_a_pool_of_threads():
    done = subprocess.run([sys.executable, "-c", CALLING], check=True, capture_output=True)
    assert int(done.stdout) < 50
