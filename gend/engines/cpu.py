"""What this machine's CPU multiplies fast, as its flags say."""

from __future__ import annotations

import platform
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, Self

Int8Unit = Literal["amx", "vnni", "none"]


@dataclass(frozen=True, slots=True)
class CPU:
    """The few things about a CPU that engines depend on."""

    x86: bool
    bf16: bool
    """Multiplies bfloat16 in hardware: AMX or AVX-512-BF16. Elsewhere bfloat16 is slower than fp32."""
    int8: Int8Unit
    """What multiplies int8. Without one (AVX2 alone) sums of products may saturate, so that answers differ."""

    @classmethod
    def of_flags(cls, flags: frozenset[str]) -> Self:
        """Of an x86 CPU with flags as Linux names them in `/proc/cpuinfo`."""
        amx = "amx_tile" in flags
        vnni = "avx512_vnni" in flags or "avx_vnni" in flags
        return cls(
            x86=True,
            bf16=(amx and "amx_bf16" in flags) or "avx512_bf16" in flags,
            int8="amx" if amx and "amx_int8" in flags else "vnni" if vnni else "none",
        )

    @classmethod
    def here(cls, cpuinfo: Path = Path("/proc/cpuinfo")) -> Self:
        """Of this machine. Where there are no flags to read, nothing special is assumed."""
        if platform.machine().lower() not in ("x86_64", "amd64", "i686"):
            return cls(x86=False, bf16=False, int8="none")
        return cls.of_flags(_flags(cpuinfo))


def _flags(cpuinfo: Path) -> frozenset[str]:
    lines = cpuinfo.read_text(errors="replace").splitlines() if cpuinfo.is_file() else []
    named = [line.partition(":")[2].split() for line in lines if line.startswith("flags")]
    return frozenset(named[0]) if named else frozenset()
