"""Signs packages with a key of the machine's own: Ed25519 (RFC 8032), keys as PEM files."""

from __future__ import annotations

import hashlib
import logging
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from monitor.errors import EvidenceError

_log = logging.getLogger("monitor.evidence")


class Signer:
    """A private key.

    Attributes:
        fingerprint: SHA-256 of the raw public key, hexadecimal: what people compare.
        public_pem: the public key, as it goes with every package.
    """

    def __init__(self, key: Ed25519PrivateKey) -> None:
        self._key = key
        self.fingerprint = fingerprint(key.public_key())
        self.public_pem = _pem(key.public_key())

    def sign(self, message: bytes) -> bytes:
        """The signature, 64 bytes."""
        return self._key.sign(message)


def load_signer(path: Path) -> Signer:
    """Reads the private key, or makes one where there is no file, for its owner's eyes only.

    Raises:
        EvidenceError: it cannot be read or made, or is no Ed25519 key without a password.
    """
    try:
        if not path.exists():
            _make(path)
            _log.info("%s: made a new key to sign evidence with", path)
        elif stat.S_IMODE(path.stat().st_mode) & 0o077:
            _log.warning("%s: others may read or change the key that signs evidence; chmod 600 helps", path)
        key = serialization.load_pem_private_key(path.read_bytes(), password=None)
    except OSError as error:
        raise EvidenceError(f"evidence.key: {path}: {error.strerror or error}") from error
    except (ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise EvidenceError(f"evidence.key: {path}: not a private key in PEM without a password") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise EvidenceError(f"evidence.key: {path}: not an Ed25519 key")
    return Signer(key)


def read_public_key(pem: bytes) -> Ed25519PublicKey | None:
    """The key in a `signer.pem`; None where it is not one, in the one spelling that `Signer` writes."""
    try:
        key = serialization.load_pem_public_key(pem)
    except (ValueError, UnsupportedAlgorithm):
        return None
    return key if isinstance(key, Ed25519PublicKey) and _pem(key) == pem else None


def fingerprint(key: Ed25519PublicKey) -> str:
    """SHA-256 of the raw public key, hexadecimal."""
    return hashlib.sha256(key.public_bytes_raw()).hexdigest()


def signed_by(key: Ed25519PublicKey, signature: bytes, message: bytes) -> bool:
    """Whether the signature is of that message, by that key."""
    try:
        key.verify(signature, message)
    except InvalidSignature:
        return False
    return True


def _make(path: Path) -> None:
    pem = Ed25519PrivateKey.generate().private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    unfinished = path.with_name(f".{path.name}.unfinished")
    unfinished.unlink(missing_ok=True)
    descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(pem)
        file.flush()
        os.fsync(file.fileno())
    unfinished.replace(path)


def _pem(key: Ed25519PublicKey) -> bytes:
    return key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
