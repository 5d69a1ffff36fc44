"""The equations once more, as plain loops over single vectors, for float64.

Shares no code with armt_core, only weights: it is there to be compared with it.
"""

import torch
from torch import Tensor

EPS = 1e-5


def phi(x: Tensor) -> Tensor:
    """DPFP-3 of one vector (d,): (6 d,)."""
    zero = torch.zeros((), dtype=x.dtype)
    u = [torch.maximum(v, zero) for v in x] + [torch.maximum(-v, zero) for v in x]
    n = len(u)
    return torch.stack([u[i] * u[(i - shift) % n] for shift in (1, 2, 3) for i in range(n)])


class PlainMemory:
    """One layer's memory of one document: A as a matrix (K, D), z as a vector (K,).

    corrects: whether gamma keeps z from counting a key twice; else gamma is 1. unit_keys: whether
    keys and queries have length 1.
    """

    corrects = True
    unit_keys = False

    def __init__(self, w_q: Tensor, w_k: Tensor, w_v: Tensor, w_b: Tensor, b: Tensor) -> None:
        self.w_q, self.w_k, self.w_v, self.w_b, self.b = w_q, w_k, w_v, w_b, b
        self.A: Tensor | None = None
        self.z: Tensor | None = None

    def features(self, projected: Tensor) -> Tensor:
        found = phi(projected)
        return found / (found @ found).sqrt() if self.unit_keys else found

    def read(self, x: Tensor) -> Tensor:
        """One position (D,)."""
        if self.A is None or self.z is None:
            return x
        q = self.features(self.w_q @ x)
        return x + (self.A.T @ q) / (self.z @ q + EPS)

    def write(self, tokens: Tensor) -> None:
        """The memory tokens (M, D) of one segment."""
        before_A, before_z = self.A, self.z
        change_A: Tensor | None = None
        change_z: Tensor | None = None
        for m in tokens:
            k = self.features(self.w_k @ m)
            v = self.w_v @ m
            beta = 1 / (1 + torch.exp(-(self.w_b[0] @ m + self.b[0])))
            if before_A is None or before_z is None:
                stored, gamma = torch.zeros_like(v), torch.ones((), dtype=v.dtype)
            else:
                d = before_z @ k + EPS
                stored = (before_A.T @ k) / d
                length = k @ k if self.unit_keys else k @ k + EPS
                gamma = (1 - d / length).clamp(0, 1).detach()
                gamma = gamma if self.corrects else torch.ones((), dtype=v.dtype)
            step_A, step_z = torch.outer(k, beta * (v - stored)), gamma * k
            change_A = step_A if change_A is None else change_A + step_A
            change_z = step_z if change_z is None else change_z + step_z
        assert change_A is not None and change_z is not None
        self.A = change_A if before_A is None else before_A + change_A
        self.z = change_z if before_z is None else before_z + change_z
