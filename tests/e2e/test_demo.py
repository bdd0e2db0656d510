import asyncio
import os
import sys


async def test_the_demo_tells_its_story_on_a_mesh_that_runs(mesh):
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sensorium.cli", "demo", "--url", mesh.url),
        env=os.environ | {"NO_COLOR": "1"},
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    shown, _ = await demo.communicate()
    story = shown.decode()
    assert demo.returncode == 0, story
    assert "Everything worked." in story
    assert "frames off" in story


async def test_a_demo_without_a_mesh_says_so_in_one_line():
    demo = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "sensorium.cli", "demo", "--url", "http://127.0.0.1:1"),
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.PIPE,
    )
    _, told = await demo.communicate()
    assert demo.returncode == 1
    assert told.decode().startswith("sensorium: the mesh at http://127.0.0.1:1 does not answer")
    assert told.count(b"\n") == 1
