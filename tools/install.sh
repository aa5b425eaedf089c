#!/bin/sh
# Creates a virtual environment and installs the project and all its extras into it: sh tools/install.sh FOLDER
set -eu

venv=$1
python=${PYTHON:-python3}

say() { printf '%s\n' "setup: $*"; }

if [ ! -x "$venv/bin/python" ]; then
    say "creating $venv with $($python --version)"
    "$python" -m venv "$venv"
fi
pip="$venv/bin/python -m pip --disable-pip-version-check"

# PyTorch first and apart. On Linux the package index carries builds for CUDA, gigabytes of them, under the plain
# version; the CPU build is `+cpu`, from PyTorch's own index. Where that index cannot be reached, a local wheel of the
# same version (pip's `find-links`) serves as well. A machine with an NVIDIA GPU gets the plain build.
torch=$(sed -n 's/^torch==//p' constraints.txt)
if "$venv/bin/python" -c "import sys, torch; sys.exit(torch.__version__.split('+')[0] != '$torch')" 2>/dev/null; then
    say "PyTorch $torch is there"
elif [ "$(uname -s)" = Linux ] && ! command -v nvidia-smi >/dev/null 2>&1; then
    say "installing PyTorch $torch for the CPU (about 200 MB)"
    $pip install --quiet --retries 1 --timeout 20 --constraint constraints.txt \
        --extra-index-url https://download.pytorch.org/whl/cpu "torch==$torch+cpu" || {
        say "error: no CPU build of PyTorch $torch for $("$venv/bin/python" --version) could be had, see pip's words above" >&2
        exit 1
    }
else
    say "installing PyTorch $torch"
    $pip install --quiet --constraint constraints.txt "torch==$torch"
fi

say "installing gend-monitor and what it needs (about 500 MB; a minute or two the first time)"
$pip install --quiet --constraint constraints.txt --editable '.[torch,demo,postgres,export,research,dev]'
say "ready"
