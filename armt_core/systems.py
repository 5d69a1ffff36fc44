"""Every system of arXiv 2407.04841 behind one interface: segments and memory in, hidden states
and memory out (`run`, and `read_sequential` over it). `ArmtConfig.system` chooses."""

from armt_core.attention import AttentionModel
from armt_core.config import ArmtConfig
from armt_core.model import ArmtModel
from armt_core.recurrent import RecurrentModel
from armt_core.state_space import StateSpaceModel
from armt_core.system_model import SystemModel

_KINDS: tuple[type[SystemModel], ...] = (ArmtModel, RecurrentModel, AttentionModel, StateSpaceModel)


def new_system(config: ArmtConfig) -> SystemModel:
    """The model of `config.system`, with fresh weights.

    Raises ModelError for a combination of settings that the system does not have.
    """
    kind = next(kind for kind in _KINDS if config.system in kind.systems)
    return kind(config)


__all__ = ["SystemModel", "new_system"]
