from __future__ import annotations

import platform
from pathlib import Path

import pytest

from gend.engines.cpu import CPU

SAPPHIRE_RAPIDS = "avx2 avx512f avx512_vnni avx512_bf16 amx_bf16 amx_tile amx_int8"
ICE_LAKE = "avx2 avx512f avx512_vnni"
ALDER_LAKE = "avx2 avx_vnni"
HASWELL = "avx2 fma"


@pytest.mark.parametrize(
    ("flags", "bf16", "int8"),
    [
        (SAPPHIRE_RAPIDS, True, "amx"),
        ("avx512f avx512_vnni avx512_bf16", True, "vnni"),
        (ICE_LAKE, False, "vnni"),
        (ALDER_LAKE, False, "vnni"),
        (HASWELL, False, "none"),
        ("avx2 amx_bf16 amx_int8", False, "none"),  # a hypervisor that hides the tiles
        ("", False, "none"),
    ],
)
def test_cpu_flags_say_what_is_fast(flags: str, bf16: bool, int8: str) -> None:
    cpu = CPU.of_flags(frozenset(flags.split()))
    assert (cpu.x86, cpu.bf16, cpu.int8) == (True, bf16, int8)


def test_cpu_here_reads_the_first_processor(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    cpuinfo = tmp_path / "cpuinfo"
    cpuinfo.write_text(
        f"processor\t: 0\nmodel name\t: A CPU\nflags\t\t: {ICE_LAKE}\n\nprocessor\t: 1\nflags\t\t: fpu\n"
    )
    assert CPU.here(cpuinfo).int8 == "vnni"


def test_cpu_here_assumes_nothing_where_flags_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platform, "machine", lambda: "x86_64")
    assert CPU.here(tmp_path / "none") == CPU(x86=True, bf16=False, int8="none")
    monkeypatch.setattr(platform, "machine", lambda: "arm64")
    assert CPU.here(tmp_path / "none") == CPU(x86=False, bf16=False, int8="none")
