"""Bits as video headers have them: fixed lengths and Exp-Golomb codes (ITU-T H.264, 7.2 and 9.1)."""

from __future__ import annotations


class BitReader:
    """Reads from the first bit of `payload` on, without emulation prevention bytes."""

    def __init__(self, payload: bytes) -> None:
        self._bits = "".join(f"{byte:08b}" for byte in payload)
        self.position = 0

    def u(self, length: int) -> int:
        """An unsigned number of that many bits."""
        taken = self._bits[self.position : self.position + length]
        if len(taken) < length:
            raise ValueError("the bits are at their end")
        self.position += length
        return int(taken, 2) if taken else 0

    def ue(self) -> int:
        """An unsigned Exp-Golomb code."""
        zeros = 0
        while self.u(1) == 0:
            zeros += 1
        return (1 << zeros) - 1 + self.u(zeros)

    def rest(self) -> str:
        """All bits not read yet."""
        return self._bits[self.position :]


class BitWriter:
    """The reverse of `BitReader`."""

    def __init__(self) -> None:
        self._bits: list[str] = []

    def u(self, value: int, length: int) -> None:
        """An unsigned number of that many bits."""
        self._bits.append(f"{value:0{length}b}"[-length:])

    def ue(self, value: int) -> None:
        """An unsigned Exp-Golomb code."""
        code = f"{value + 1:b}"
        self._bits.append("0" * (len(code) - 1) + code)

    def append(self, bits: str) -> None:
        """Bits as they are."""
        self._bits.append(bits)

    def payload(self) -> bytes:
        """What was written, filled up with zeros to whole bytes."""
        bits = "".join(self._bits)
        bits += "0" * (-len(bits) % 8)
        return int(bits, 2).to_bytes(len(bits) // 8) if bits else b""


def unescaped(payload: bytes) -> bytes:
    """Takes the emulation prevention bytes out (7.4.1)."""
    return payload.replace(b"\x00\x00\x03", b"\x00\x00")


def escaped(payload: bytes) -> bytes:
    """Puts emulation prevention bytes in, so that no start code appears."""
    out = bytearray()
    zeros = 0
    for byte in payload:
        if zeros >= 2 and byte <= 3:
            out.append(3)
            zeros = 0
        out.append(byte)
        zeros = zeros + 1 if byte == 0 else 0
    return bytes(out)
