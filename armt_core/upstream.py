"""State dicts of the paper's reference implementation, loaded into an ArmtModel.

There each backbone layer is wrapped: `<layers>.<i>.layer.*` are its own weights and
`<layers>.<i>.W_mq | W_mk | W_mv | W_mb` those of its memory; `memory` holds the
memory tokens (M, D). All of it may stand under `memory_cell.`; the backbone stands
under `model.`.
"""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn

from armt_core.adapters import adapter_class
from armt_core.config import ArmtConfig, System
from armt_core.errors import ModelError
from armt_core.model import ArmtModel

# Ours are stacked over layers: (L, ...).
_PROJECTIONS = {
    "W_mq.weight": "associative.query",
    "W_mk.weight": "associative.key",
    "W_mv.weight": "associative.value",
    "W_mb.weight": "associative.beta_weight",
    "W_mb.bias": "associative.beta_bias",
}
# Constants that older versions of transformers saved along; they are not weights.
_CONSTANTS = re.compile(
    r"(\.(attn|attention)\.(bias|masked_bias)|\.inv_freq|\.embeddings\.(position|token_type)_ids)$"
)
_POSITIONS = "transformer.wpe.weight"


def load_upstream(
    state: Mapping[str, Tensor],
    backbone: Any,
    segment_tokens: int | None = None,
    wrap_pos: bool | None = None,
    system: System = "armt",
) -> ArmtModel:
    """An ArmtModel with the weights of a reference state dict, in eval mode.

    backbone: the `transformers` configuration the reference model was built on.
    segment_tokens: most tokens in a segment; by default what the backbone allows,
    at most 1,024. wrap_pos (GPT-2): the memory tokens have position embeddings of
    their own, the last M rows of wpe; None: yes, if wpe has more rows than
    `backbone` has positions. system: how the reference model writes, which its state dict does not
    say: "armt-without-gamma" for one made with `correction=False`, "armt-unit-keys" for one of the
    later versions that scale phi(k) and phi(q) to length 1. One head of memory, one beta a token
    and a denominator, as all of them have by default; other shapes and parts are refused, but
    `use_denom=False`, `attend_to_previous_input` and `sliding_window` cannot be seen.
    Raises ModelError naming the first missing, unknown or ill-shaped key.
    """
    names = {_short(name): tensor for name, tensor in state.items() if not _CONSTANTS.search(name)}
    if "memory" not in names:
        raise ModelError('The state dict has no "memory_cell.memory" (the memory tokens, (M, D)).')
    layers = adapter_class(backbone.model_type).layers_path
    first = f"model.{layers}.0.W_mq.weight"
    if first not in names:
        raise ModelError(f'The state dict has no "memory_cell.{first}".')
    M, memory_dim = names["memory"].shape[0], names[first].shape[0]

    memory_tokens, wrapped = names["memory"], False
    if backbone.model_type == "gpt2":
        memory_tokens, wrapped = _unwrap_positions(names, backbone, M, wrap_pos)
    # GPT-2 without own positions and BERT embed memory tokens like text.
    inline = backbone.model_type == "bert" or (backbone.model_type == "gpt2" and not wrapped)
    longest = getattr(backbone, "max_position_embeddings", None) or 1024
    config = ArmtConfig(
        backbone=backbone,
        num_memory_tokens=M,
        memory_dim=memory_dim,
        segment_tokens=segment_tokens or min(1024, longest - (M if inline else 0)),
        memory_tokens="inline" if inline else "own",
        system=system,
    )
    # float64 weights stay float64; 16-bit ones are kept in float32.
    model = ArmtModel(config).to(torch.promote_types(memory_tokens.dtype, torch.float32))
    renamed = {"memory_tokens": memory_tokens, **_stacked(names, layers, config)}
    for name, tensor in names.items():
        if name != "memory" and _projection(name, layers) is None:
            renamed[_our_name(name, layers)] = tensor
    _load(model, renamed)
    return model.eval()


def _short(name: str) -> str:
    return name.removeprefix("memory_cell.")


def _projection(name: str, layers: str) -> str | None:
    """The projection ("W_mq.weight") that a key is, if it is one."""
    inside = re.fullmatch(rf"model\.{re.escape(layers)}\.\d+\.(.+)", name)
    return inside[1] if inside and inside[1] in _PROJECTIONS else None


def _stacked(names: Mapping[str, Tensor], layers: str, config: ArmtConfig) -> dict[str, Tensor]:
    """The projections of all layers under our names."""
    D, d_mem = config.hidden_size, config.memory_dim
    shapes = {
        "W_mq.weight": (d_mem, D),
        "W_mk.weight": (d_mem, D),
        "W_mv.weight": (D, D),
        "W_mb.weight": (1, D),
        "W_mb.bias": (1,),
    }
    stacked = {}
    for theirs, ours in _PROJECTIONS.items():
        parts = []
        for index in range(config.num_hidden_layers):
            key = f"model.{layers}.{index}.{theirs}"
            if key not in names:
                raise ModelError(f'The state dict has no "memory_cell.{key}".')
            if tuple(names[key].shape) != shapes[theirs]:
                raise ModelError(
                    f'"memory_cell.{key}" has shape {tuple(names[key].shape)}, '
                    f"it must be {shapes[theirs]}."
                )
            parts.append(names[key].squeeze(0) if theirs.startswith("W_mb") else names[key])
        stacked[ours] = torch.stack(parts)
    return stacked


def _our_name(name: str, layers: str) -> str:
    inside = re.fullmatch(rf"model\.{re.escape(layers)}\.(\d+)\.(.+)", name)
    if inside and inside[2].startswith("layer."):
        return f"backbone.{layers}.{inside[1]}.{inside[2].removeprefix('layer.')}"
    if name == "model.embed_out.weight":  # GPT-NeoX's head before transformers 5
        return "backbone.lm_head.weight"
    return "backbone." + name.removeprefix("model.")


def _unwrap_positions(
    names: dict[str, Tensor], backbone: Any, M: int, wrap_pos: bool | None
) -> tuple[Tensor, bool]:
    """Memory tokens with their own positions added, which leave wpe; and whether they had any."""
    key = f"model.{_POSITIONS}"
    if key not in names:
        raise ModelError(f'The state dict has no "memory_cell.{key}".')
    rows, known = names[key].shape[0], backbone.max_position_embeddings
    if wrap_pos is None:
        wrap_pos = rows == known + M
    if not wrap_pos:
        return names["memory"], False
    if rows not in (known, known + M):
        raise ModelError(
            f'"{key}" has {rows} rows; with wrapped positions it must have {known} or {known + M}.'
        )
    if rows == known:  # the configuration already counts them
        backbone.max_position_embeddings = known - M
    own = names[key][-M:]
    names[key] = names[key][:-M]
    return names["memory"] + own, True


def _load(model: nn.Module, renamed: dict[str, Tensor]) -> None:
    expected = model.state_dict()
    tied = set(getattr(model, "all_tied_weights_keys", {}) or {})
    for name in renamed:
        if name not in expected:
            raise ModelError(f"Unknown key in the state dict: it would be {name!r} here.")
    for name, tensor in expected.items():
        if name not in renamed:
            if name in tied:
                continue
            raise ModelError(f"Missing key in the state dict: nothing gives {name!r}.")
        if renamed[name].shape != tensor.shape:
            raise ModelError(
                f"{name!r} has shape {tuple(renamed[name].shape)}, "
                f"the backbone's configuration gives {tuple(tensor.shape)}."
            )
    model.load_state_dict(renamed, strict=False)
