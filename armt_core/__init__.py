"""The model: an Associative Recurrent Memory Transformer over `transformers` backbones.

Knows torch and transformers, nothing of files of documents, databases or UIs.
The names below load on first use, so that `armt_core.errors` costs no torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from armt_core.config import ArmtConfig
    from armt_core.diagonal import read_diagonal
    from armt_core.memory import MemoryState
    from armt_core.model import ArmtModel
    from armt_core.reading import read_sequential
    from armt_core.schedule import read_faster

_HOME = {
    "ArmtConfig": "armt_core.config",
    "ArmtModel": "armt_core.model",
    "MemoryState": "armt_core.memory",
    "read_diagonal": "armt_core.diagonal",
    "read_faster": "armt_core.schedule",
    "read_sequential": "armt_core.reading",
}

__all__ = [
    "ArmtConfig",
    "ArmtModel",
    "MemoryState",
    "read_diagonal",
    "read_faster",
    "read_sequential",
]


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"armt_core has no {name!r}")
    return getattr(import_module(_HOME[name]), name)
