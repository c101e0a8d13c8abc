"""torch.nn.functional.conv2d on images in NCHW, which is cuDNN's on a GPU."""

import torch.nn.functional as F


def forward(x, weight, bias, stride, padding, dilation, groups):
    return F.conv2d(x, weight, bias, stride, padding, dilation, groups)


def conv2d(x, weight, bias_values, y, batch, groups, in_channels, out_channels, stride, padding,
           dilation, height, width, kernel_h, kernel_w, bias):
    inputs = (x.tensor(batch, in_channels, height, width),
              weight.tensor(out_channels, in_channels // groups, kernel_h, kernel_w),
              bias_values.tensor(out_channels) if bias else None, stride, padding, dilation, groups)

    def out(size, kernel):
        return (size + 2 * padding - dilation * (kernel - 1) - 1) // stride + 1

    return inputs, (y.tensor(batch, out_channels, out(height, kernel_h), out(width, kernel_w)),)
