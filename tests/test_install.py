"""What an installation must not need."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import cv2
import pytest


@pytest.mark.skipif(sys.platform != "linux" or shutil.which("ldd") is None, reason="looks at Linux' shared objects")
def test_cv2_needs_no_libgl() -> None:
    libraries = list(Path(cv2.__file__).parent.rglob("*.so"))
    assert libraries
    for library in libraries:
        linked = subprocess.run(["ldd", library], capture_output=True, text=True, check=True).stdout
        assert "libGL" not in linked


def test_the_command_lines_start_without_the_heavy_libraries() -> None:
    code = (
        "import sys, gend.cli, monitor.cli; "
        "print(*({'torch', 'openvino', 'cv2', 'av', 'transformers'} & set(sys.modules)))"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split() == []
