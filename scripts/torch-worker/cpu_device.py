"""The processor in the place of a GPU, for this worker's own tests: nothing is cold, and a graph is
what it was made of, done again."""

import time

import torch

import protocol


def mixed(x):
    """The hash of slot_contents.h, in 64-bit integers that hold 32 bits."""
    x = (x ^ x >> 16) * 0x7FEB352D & 0xFFFFFFFF
    x = (x ^ x >> 15) * 0x846CA68B & 0xFFFFFFFF
    return x ^ x >> 16


class CpuDevice:
    """Stands in for CudaDevice."""

    name = "cpu"

    def __init__(self, _kernels):
        torch.set_num_threads(1)
        self.keys = None

    def start_timed(self):
        self.keys = self.zeros(protocol.KEY_BYTES)

    def zeros(self, size):
        return torch.zeros(size, dtype=torch.uint8)

    def synchronize(self):
        pass

    def fill(self, memory, start, step, count, size, keys, mask):
        keep, constant = mask
        for row in range(count if size else 0):
            words = torch.arange(-(-size // 4), dtype=torch.int64)
            low = high = 0
            if keys is not None:
                pair = self.keys[keys + 8 * row:keys + 8 * row + 8].view(torch.int32).tolist()
                low, high = pair[0] & 0xFFFFFFFF, pair[1] & 0xFFFFFFFF
            words = mixed(mixed(words + low & 0xFFFFFFFF) ^ high) & keep | constant
            at = start + row * step
            memory[at:at + size] = words.to(torch.int32).view(torch.uint8)[:size]

    def load_keys(self, keys):
        self.keys[:keys.numel()].copy_(keys)

    def forget_keys(self):
        self.keys.zero_()

    def flush(self):
        pass

    def idle(self):
        pass

    def capture(self, work):
        return work

    def replay(self, graph):
        return self.time(graph)

    def time(self, work):
        start = time.perf_counter_ns()
        work()
        return time.perf_counter_ns() - start
