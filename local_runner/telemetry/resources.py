"""Limits of the machine for this process; `ProcessCollector` has its use."""

import os
import platform
import shutil
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Final

from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from core import __version__

_CGROUP_LIMIT: Final = Path("/sys/fs/cgroup/memory.max")  # https://docs.kernel.org/admin-guide/cgroup-v2.html


class BuildCollector(Collector):
    """Shows the version that the process runs, as labels of a constant."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `Collector.collect`."""
        build = GaugeMetricFamily("audit_log_build_info", "Version of the service.", labels=["version", "python"])
        build.add_metric([__version__, platform.python_version()], 1)
        yield build


class ResourceCollector(Collector):
    """Shows the memory that the process may have, and the disk that its data directory is on."""

    def __init__(self, data_dir: Path) -> None:
        self._data_dir = data_dir

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """See `Collector.collect`. A process on a broker may have no data directory, and then shows no disk."""
        yield GaugeMetricFamily(
            "audit_log_memory_limit_bytes", "Memory of the container, or else of the machine.", memory_limit()
        )
        with suppress(OSError):
            disk = shutil.disk_usage(self._data_dir)
            yield GaugeMetricFamily("audit_log_data_dir_free_bytes", "Free on the disk of the data.", disk.free)
            yield GaugeMetricFamily("audit_log_data_dir_size_bytes", "Size of the disk of the data.", disk.total)


def memory_limit(cgroup_limit: Path = _CGROUP_LIMIT) -> int:
    """Bytes of memory that the container has, or else the machine."""
    machine = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    with suppress(OSError, ValueError):  # there is no such limit, or it is "max"
        return min(int(cgroup_limit.read_text()), machine)
    return machine
