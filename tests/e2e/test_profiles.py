from models.aisle.world import Colour, Scene, Worker
from sensorium.weights import store
from tests.doubles.engine_llama import AISLE
from tests.doubles.launched import launched
from tests.e2e import clients

SCENE = Scene(3, Colour.RED, Worker.ABSENT, spill=False, ladder=False)


async def test_a_mesh_runs_on_gguf_files_of_the_operators_own(data_folder, tmp_path):
    (tmp_path / "my-model-Q4_K_M.gguf").symlink_to(store.ensure("language-0.5b") / "model.gguf")
    own = {
        "VISION_GGUF": str(AISLE / "aisle.gguf"),
        "VISION_MMPROJ": str(AISLE / "aisle-mmproj.gguf"),
        "REASONING_GGUF": str(tmp_path / "my-model-Q4_K_M.gguf"),
    }
    data = data_folder / "cpu"
    async with launched(data, "--profile", "cpu", environment=own) as mesh:
        seen = await clients.describe(mesh.http, SCENE)
        said = await clients.generate(mesh.http, "Say hello.")
    assert (seen["description"], seen["model"]) == (SCENE.caption, "aisle")
    assert (bool(said["text"]), said["model"]) == (True, "my-model-Q4_K_M")
