from __future__ import annotations

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key

from monitor.errors import EvidenceError
from monitor.evidence.signing import load_signer


def test_load_signer_makes_a_key_once_for_its_owner_alone(tmp_path: Path) -> None:
    path = tmp_path / "key.pem"
    made = load_signer(path)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert load_signer(path).fingerprint == made.fingerprint
    assert [file.name for file in tmp_path.iterdir()] == ["key.pem"]
    assert load_signer(tmp_path / "other.pem").fingerprint != made.fingerprint


def test_load_signer_warns_where_others_may_read_the_key(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    load_signer(tmp_path / "key.pem")
    (tmp_path / "key.pem").chmod(0o644)
    caplog.clear()
    load_signer(tmp_path / "key.pem")
    assert "others may read or change the key" in caplog.text


def test_load_signer_refuses_what_is_no_ed25519_key(tmp_path: Path) -> None:
    text = tmp_path / "text.pem"
    text.write_text("hello")
    with pytest.raises(EvidenceError, match=r"evidence\.key: .*text\.pem: not a private key in PEM"):
        load_signer(text)
    other = tmp_path / "other.pem"
    other.write_bytes(
        generate_private_key(SECP256R1()).private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    with pytest.raises(EvidenceError, match=r"other\.pem: not an Ed25519 key"):
        load_signer(other)
    with pytest.raises(EvidenceError, match=r"nowhere/key\.pem: No such file or directory"):
        load_signer(tmp_path / "nowhere" / "key.pem")
