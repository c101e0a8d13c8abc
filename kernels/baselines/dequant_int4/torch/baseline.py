"""w = (code - zero) * scale, group by group of rows, on codes taken apart by shifts and masks."""

import torch


def codes_of(packed):
    return torch.stack((packed & 15, packed >> 4), -1).flatten(-2).to(torch.int8)


def forward(codes, scales, zeros):
    groups, n = scales.shape
    codes = codes_of(codes).view(groups, -1, n)
    difference = codes - (8 if zeros is None else codes_of(zeros).unsqueeze(1))
    return (difference.to(scales.dtype) * scales.unsqueeze(1)).view(-1, n)


def dequant_int4(codes, scales, zeros, w, k, n, group, symmetric, w_stride):
    zeros = None if symmetric else zeros.packed(k // group, n)
    return (codes.packed(k, n), scales.tensor(k // group, n), zeros), (w.matrix(k, n, w_stride),)
