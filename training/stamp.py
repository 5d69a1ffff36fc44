"""Where and when a figure was measured."""

import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path

import torch

_ROOT = Path(__file__).resolve().parent.parent


def stamp() -> dict[str, str]:
    """What every file of results begins with: machine, date and commit."""
    return {
        "machine": machine(),
        "date": datetime.now(UTC).date().isoformat(),
        "commit": commit(),
    }


def machine() -> str:
    """Processor, cores and torch, in one line."""
    name = platform.processor() or platform.machine()
    info = Path("/proc/cpuinfo")
    if info.is_file():
        for line in info.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                name = line.split(":", 1)[1].strip()
                break
    gpu = f", {torch.cuda.get_device_name()}" if torch.cuda.is_available() else ""
    return f"{name}, {torch.get_num_threads()} threads{gpu}, torch {torch.__version__}"


def commit() -> str:
    """The commit that is measured, marked if the tree differs from it."""
    try:
        named = subprocess.run(
            ["git", "describe", "--always", "--dirty", "--abbrev=10"],
            cwd=_ROOT,
            capture_output=True,
            text=True,
            check=True,
        )
    except (OSError, subprocess.CalledProcessError):
        return "unknown"
    return named.stdout.strip()
