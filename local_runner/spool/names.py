"""The names of a slot: what the accepted events of its directory are counted under.

A directory that is found at another place, host or path, gets one more name. Its former ones say how much of it is
counted. It does not keep its name, because it may be a copy whose original is still in use, and a source of counts must
have one writer.
"""

import hashlib
import re
import socket
import uuid
from pathlib import Path
from typing import Final

from local_runner.spool.files import FileSystem

FILE_NAME: Final = "names"

_MOST: Final = 16
_LINE: Final = re.compile(rb"^([0-9a-f]{32}) ([0-9a-f]{32})$", re.MULTILINE)


def names_of(directory: Path, disk: FileSystem, *, used: bool) -> tuple[str, ...]:
    """Return the names of a slot, the newest first, and note them in its directory.

    The name of a slot without a note is that of its place if it was `used`, as in versions before the note, and new
    otherwise. At most 16 names are kept: a container may have another host name at each start.

    Raises:
        OSError: the note cannot be read or written.
    """
    place = hashlib.sha256(f"{socket.gethostname()}:{directory.absolute()}".encode()).hexdigest()[:32]
    note = directory / FILE_NAME
    content = note.read_bytes() if note.exists() else b""
    found = [(name.decode(), at.decode()) for name, at in _LINE.findall(content)]
    if not found or found[0][1] != place:
        name = place if used and not found else uuid.uuid4().hex
        found = [(name, place), *found][:_MOST]
        disk.write_durably(note, "".join(f"{name} {at}\n" for name, at in found).encode())
    return tuple(name for name, _ in found)
