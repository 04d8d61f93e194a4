"""Stands in for get-pip.py, which ansible-test downloads from a host of its own: pip comes from ensurepip and PyPI."""

from __future__ import annotations

import subprocess
import sys

packages = [argument for argument in sys.argv[1:] if argument not in ("--no-setuptools", "--no-wheel")]
for command in (["ensurepip"], ["pip", "install", *packages]):
    subprocess.run([sys.executable, "-m", *command], check=True, stdout=subprocess.DEVNULL)
