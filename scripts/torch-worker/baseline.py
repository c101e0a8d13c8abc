"""A baseline's own file, and the tensors it makes of raw buffers."""

import importlib.util

import torch

import protocol

DTYPES = {"fp32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


class RawTensor:
    """The bytes of a buffer on the device, which a baseline gives a type, a shape and strides."""

    def __init__(self, data, dtype):
        self.data = data
        self.dtype = dtype

    def tensor(self, *shape, dtype=None):
        """Contiguous, in row-major order; of the task's type T unless `dtype` says otherwise."""
        return self.data.view(dtype or self.dtype).view(shape)

    def matrix(self, rows, columns, stride):
        """Of type T, `stride` elements from one row to the next."""
        return self.data.view(self.dtype).as_strided((rows, columns), (stride, 1))

    def strided(self, shape, strides):
        """Of type T, strides in elements."""
        return self.data.view(self.dtype).as_strided(shape, strides)

    def packed(self, *shape):
        """4-bit codes as bytes of two, the even one in the low half; `shape` counts codes."""
        return self.data.view(torch.uint8).view(*shape[:-1], shape[-1] // 2)


class BoundCall:
    """A call with its tensors made: what forward() takes, and the views its results belong in."""

    def __init__(self, forward, inputs, outputs):
        self.forward = forward
        self.inputs = inputs
        self.outputs = outputs

    def run(self):
        results = self.forward(*self.inputs)
        return results if isinstance(results, tuple) else (results,)

    def store(self, results):
        """Puts results where the operator wants them."""
        if len(results) != len(self.outputs):
            raise TypeError(f"forward returned {len(results)} tensors, not {len(self.outputs)}")
        for output, result in zip(self.outputs, results):
            if result.dtype != output.dtype or result.shape != output.shape:
                raise TypeError(f"forward returned {result.dtype} {tuple(result.shape)}, not "
                                f"{output.dtype} {tuple(output.shape)}")
            output.copy_(result)


class Baseline:
    """baseline.py: forward(), and for each launch of the plan a function that binds its tensors."""

    def __init__(self, path, dtype):
        spec = importlib.util.spec_from_file_location("baseline_of_operator", path)
        self.module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(self.module)
        self.dtype = DTYPES[dtype]

    @property
    def forward(self):
        return self.module.forward

    def bind(self, request, data, forward):
        """The one launch of a request over `data`, the bytes of its buffers on the device."""
        if len(request.launches) != 1:
            raise protocol.BadRequest("a baseline's plan has one launch")
        name = request.launches[0].kernel.decode()
        arguments = [
            RawTensor(data[word.value], self.dtype)
            if word.kind == protocol.BUFFER_WORD else word.number() for word in request.words
        ]
        inputs, outputs = getattr(self.module, name)(*arguments)
        return BoundCall(forward, inputs, outputs)
