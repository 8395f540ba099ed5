"""What stands between a service under test and its disk and clock: see shim.c."""

import shutil
import struct
import subprocess
from pathlib import Path

from tests.faults.servers import MissingServerError

SOURCE = Path(__file__).with_name("shim.c")


class Shim:
    """Environment for a service whose power can be cut and whose clock can be set."""

    def __init__(self, directory: Path, data_dir: Path) -> None:
        compiler = shutil.which("cc")
        if compiler is None:
            raise MissingServerError("needs a C compiler: apt-get install gcc libc6-dev")
        self._data_dir = data_dir
        self._shadow = directory / "shadow"
        self._shadow.mkdir()
        self._clock = directory / "clock"
        self.set_clock(0)
        library = directory / "shim.so"
        subprocess.run([compiler, "-shared", "-fPIC", "-O2", "-o", library, SOURCE, "-ldl"], check=True)
        self.environ = {
            "LD_PRELOAD": str(library),
            "SHIM_DATA": str(data_dir),
            "SHIM_SHADOW": str(self._shadow),
            "SHIM_CLOCK": str(self._clock),
        }

    def set_clock(self, seconds_off: int) -> None:
        """Put the wall clock of the service ahead, or back, at once."""
        with self._clock.open("r+b" if self._clock.exists() else "w+b") as file:
            file.write(struct.pack("q", seconds_off))

    def cut_power(self) -> None:
        """Leave of the data only the synced bytes; the service has to be dead."""
        shutil.rmtree(self._data_dir)
        shutil.copytree(self._shadow, self._data_dir, ignore=shutil.ignore_patterns("*.draft-*"))
