import asyncio

from services.chassis import names, process
from services.jobs import migrations
from services.jobs.config import DatabaseConfig


async def main() -> None:
    """Upgrade the database, then end."""
    config = DatabaseConfig.load()
    await asyncio.to_thread(migrations.upgrade, config.database_url.get_secret_value())


if __name__ == "__main__":
    process.run(names.JOBS, main)
