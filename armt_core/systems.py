"""Every system of arXiv 2407.04841 behind one interface: segments and memory in, hidden states
and memory out (`run`, and `read_sequential` over it). `ArmtConfig.system` chooses."""

from armt_core.config import ArmtConfig
from armt_core.model import ArmtModel
from armt_core.recurrent import RecurrentModel

SystemModel = ArmtModel | RecurrentModel


def new_system(config: ArmtConfig) -> SystemModel:
    """The model of `config.system`, with fresh weights.

    Raises ModelError for a combination of settings that the system does not have.
    """
    return RecurrentModel(config) if config.system in ("rmt", "prmt") else ArmtModel(config)
