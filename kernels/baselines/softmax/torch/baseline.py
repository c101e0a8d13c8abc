"""torch.softmax over the last dim."""

import torch


def forward(x):
    return torch.softmax(x, -1)


def softmax(x, y, rows, hidden, x_stride, y_stride):
    return (x.matrix(rows, hidden, x_stride),), (y.matrix(rows, hidden, y_stride),)
