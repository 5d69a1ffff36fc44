"""Linear layers whose weights were laid out once for the processor's matrix kernels.

PyTorch lays a 16-bit weight out anew in each call; for a segment of 200 tokens that is
a tenth of the time, for a question of ten tokens a third. The products are the same
ones, bit for bit.

Axes: T rows, I input features, O output features.
"""

import torch
from torch import Tensor, nn

# The layout serves any number of rows; the kernel is chosen with this many in mind.
_USUAL_ROWS = 208


class PackedLinear(nn.Module):
    """An `nn.Linear` for inference on a CPU; it can be neither trained nor saved.

    The operator is the one that `torch.compile` puts in the place of a linear layer.
    """

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        self.weight = torch.ops.mkldnn._reorder_linear_weight(linear.weight.detach(), _USUAL_ROWS)
        self.bias = None if linear.bias is None else linear.bias.detach()

    def forward(self, x: Tensor) -> Tensor:
        """(..., T, I) to (..., T, O)."""
        return torch.ops.mkldnn._linear_pointwise(x, self.weight, self.bias, "none", [], "")


def can_pack() -> bool:
    """Whether this torch and this processor have the kernels."""
    if not torch.backends.mkldnn.is_available():
        return False
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())


def pack_linears(module: nn.Module) -> int:
    """Replaces the bfloat16 linear layers inside `module`; gives how many.

    None where it would not help or cannot be done: on a GPU, in float32, in a torch built
    without oneDNN, or on a processor whose bfloat16 products oneDNN does not make (no AVX-512).
    """
    if not can_pack():
        return 0
    packed = 0
    for parent in list(module.modules()):
        for name, child in parent.named_children():
            if type(child) is nn.Linear and _can_be_packed(child.weight):
                setattr(parent, name, PackedLinear(child))
                packed += 1
    return packed


def _can_be_packed(weight: Tensor) -> bool:
    return weight.device.type == "cpu" and weight.dtype == torch.bfloat16
