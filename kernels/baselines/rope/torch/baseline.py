"""Rotary position embedding as PyTorch code writes it: cosines and sines gathered by position."""

import torch


def forward(x, positions, cos_sin_cache, interleaved):
    cos, sin = cos_sin_cache[positions].unsqueeze(1).chunk(2, -1)
    turning, rest = x[..., :2 * cos.shape[-1]], x[..., 2 * cos.shape[-1]:]
    if interleaved:
        a, b = turning[..., ::2], turning[..., 1::2]
    else:
        a, b = turning.chunk(2, -1)
    first, second = a * cos - b * sin, b * cos + a * sin
    if interleaved:
        return torch.cat((torch.stack((first, second), -1).flatten(-2), rest), -1)
    return torch.cat((first, second, rest), -1)


def rope(x, positions, cos_sin_cache, y, tokens, heads, head_dim, rotary_dim, max_positions,
         interleaved, x_stride, y_stride):
    shape = (tokens, heads, head_dim)
    inputs = (x.strided(shape, (x_stride, head_dim, 1)), positions.tensor(tokens, dtype=torch.int64),
              cos_sin_cache.tensor(max_positions, rotary_dim), interleaved != 0)
    return inputs, (y.strided(shape, (y_stride, head_dim, 1)),)
