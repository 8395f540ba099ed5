"""A byte order mark, with which editors begin what they save as UTF-8, makes no file unusable."""

import io
import json
from codecs import BOM_UTF8, BOM_UTF16_BE, BOM_UTF16_LE
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from audit_log_client.ledger import parse_policy
from core.auth.keys import key_ring
from core.domain import strict_json
from core.errors import MalformedJSONError
from core.ledger.cosigning import read_cosigner
from core.ledger.keys import generate_key, read_keys
from core.settings import Settings
from core.stores.catalogue_folder import load_catalogue
from local_runner.cli.remote.event_file import batches
from local_runner.cli.remote.event_stream import EventFileError
from local_runner.cli.remote.tail import StateFile
from local_runner.cli.retention_file import read_file
from tests.support.builders import pem

POLICY = "log a.example+950f1073+AahWyGnXpwXbsSuIcPMa3AVDS3XBPrSa/IHbZ9+xHlAp\nquorum none\n"


def read_catalogue(file: Path) -> object:
    return [about.event_type for about in load_catalogue(file.parent, strict=False).types]


FILES: dict[str, tuple[str, Callable[[Path], object]]] = {
    "catalogue": ('{"x-audit-log": {"mode": "off"}}', read_catalogue),
    "retention rules after a comment": ('# ours\n{"keep_days": 300}\n', read_file),
    "policy": (POLICY, lambda file: parse_policy(file.read_bytes())),
    "keys of tokens": (
        pem(Ed25519PrivateKey.generate()),
        lambda file: [key.kid for key in key_ring(Settings(jwt_key_file=file)).keys],
    ),
    "keys of the ledger": (generate_key(), lambda file: read_keys("a.example", file).verifier_keys),
    "key of a witness": (generate_key(), lambda file: read_cosigner("w.example", file).verifier_key),
    "state": ("a-cursor\n", lambda file: StateFile(file).read()),
    "events": (
        '{"event_id": "a", "event_type": "b"}\n',
        lambda file: [batch.events for batch in batches(io.BytesIO(file.read_bytes()), "x")],
    ),
}


@pytest.mark.parametrize("name", FILES)
def test_a_file_is_read_as_without_its_byte_order_mark(tmp_path: Path, name: str) -> None:
    content, read = FILES[name]
    file = tmp_path / "file.json"
    file.write_text(content)
    plain = read(file)
    file.write_bytes(BOM_UTF8 + content.encode())
    assert read(file) == plain


@pytest.mark.parametrize("body", ["{}", json.dumps({"a": "\ue000"})])
def test_a_request_with_a_byte_order_mark_is_refused_with_the_remedy(body: str) -> None:
    with pytest.raises(MalformedJSONError, match="begins with a byte order mark: save it as UTF-8 without one"):
        strict_json.loads(BOM_UTF8 + body.encode())


@pytest.mark.parametrize("mark", [BOM_UTF16_LE, BOM_UTF16_BE])
def test_utf16_is_named(mark: bytes) -> None:
    text = '{"event_type": "a"}\n'.encode("utf-16-le" if mark == BOM_UTF16_LE else "utf-16-be")
    with pytest.raises(MalformedJSONError, match="the text is UTF-16, save it as UTF-8"):
        strict_json.loads(mark + text)
    with pytest.raises(EventFileError, match="iconv -f UTF-16 -t UTF-8"):
        list(batches(io.BytesIO(mark + text), "x"))
