"""y = activation(a b + bias): torch.mm, torch.addmm, and PyTorch's fused epilogue where it has one."""

import torch
import torch.nn.functional as F

RELU, GELU, SILU = 1, 2, 3


def forward(a, b, bias, activation):
    # The epilogue's gelu is the tanh form on a GPU only.
    if activation == RELU or (activation == GELU and a.is_cuda):
        return torch._addmm_activation(bias, a, b, use_gelu=activation == GELU)
    y = torch.mm(a, b) if bias is None else torch.addmm(bias, a, b)
    if activation == GELU:
        return F.gelu(y, approximate="tanh")
    return F.silu(y) if activation == SILU else y


def matmul(a, b, bias_values, y, m, n, k, a_stride, b_stride, y_stride, bias, activation):
    a = a.matrix(m, k, a_stride)
    bias = bias_values.tensor(n) if bias else None
    if bias is None and activation in (RELU, GELU):
        bias = a.new_zeros(n)  # the fused epilogue wants one
    return (a, b.matrix(k, n, b_stride), bias, activation), (y.matrix(m, n, y_stride),)
