"""The GPU as the worker uses it beside PyTorch: the harness's own kernels, events, cold caches."""

import ctypes

import torch

import protocol

NOT_SUPPORTED = 801  # CUDA_ERROR_NOT_SUPPORTED
CACHE_BYTES = 38  # CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE
RECORD_EXTERNAL = 1  # CU_EVENT_RECORD_EXTERNAL
THREADS = 256
MOST_BLOCKS = 2048
# As tensorpath-worker: what a flush reads, in sizes of the cache, and at least.
CACHES = 2
LEAST_COLD_BYTES = 64 << 20


class CudaDevice:
    """Device number 0, in PyTorch's context, on one stream. Errors are RuntimeErrors."""

    name = "cuda"

    def __init__(self, kernels):
        torch.cuda.init()
        torch.cuda.set_device(0)
        self.stream = torch.cuda.Stream()
        torch.cuda.set_stream(self.stream)
        self.driver = ctypes.CDLL("libcuda.so.1")
        # The first use of a library costs most of a second, which is no call's.
        torch.mm(*torch.ones(2, 16, 16, device="cuda"))
        torch.cuda.synchronize()
        module = ctypes.c_void_p()
        with open(kernels, "rb") as file:
            self.check("cuModuleLoadData", ctypes.byref(module), file.read() + b"\0")
        self.functions = {}
        for name in ("words", "read", "idle"):
            function = ctypes.c_void_p()
            self.check("cuModuleGetFunction", ctypes.byref(function), module,
                       f"tensorpath_{name}".encode())
            self.functions[name] = function
        self.begin, self.end = ctypes.c_void_p(), ctypes.c_void_p()
        for event in (self.begin, self.end):
            self.check("cuEventCreate", ctypes.byref(event), 0)
        cache = ctypes.c_int()
        self.check("cuDeviceGetAttribute", ctypes.byref(cache), CACHE_BYTES, 0)
        self.cold_bytes = -(-max(CACHES * cache.value, LEAST_COLD_BYTES) // 16) * 16
        self.cold = None
        self.keys = None
        self.pool = torch.cuda.graph_pool_handle()
        self.last_graph = None

    def check(self, function, *arguments):
        result = getattr(self.driver, function)(*arguments)
        if result:
            name = ctypes.c_char_p()
            self.driver.cuGetErrorName(result, ctypes.byref(name))
            raise RuntimeError(f"{function}: {(name.value or b'?').decode()}")

    def handle(self):
        return ctypes.c_void_p(self.stream.cuda_stream)

    def start_timed(self):
        self.cold = self.zeros(self.cold_bytes)
        self.keys = self.zeros(protocol.KEY_BYTES)
        # A kernel's first launch loads it, which must not fall into a capture.
        self.idle()
        self.flush()

    def zeros(self, size):
        return torch.zeros(size, dtype=torch.uint8, device="cuda")

    def synchronize(self):
        torch.cuda.synchronize()

    def launch(self, name, threads, rows, *arguments):
        blocks = min(max(-(-threads // THREADS), 1), MOST_BLOCKS)
        pointers = (ctypes.c_void_p * max(len(arguments), 1))(
            *(ctypes.addressof(argument) for argument in arguments))
        self.check("cuLaunchKernel", self.functions[name], blocks, rows, 1, THREADS, 1, 1, 0,
                   self.handle(), pointers, None)

    def fill(self, memory, start, step, count, size, keys, mask):
        """`size` bytes at `start` and every `step` bytes after it; `keys` are an offset or None."""
        if size == 0 or count == 0:
            return
        keep, constant = mask
        u64, u32 = ctypes.c_uint64, ctypes.c_uint32
        self.launch("words", -(-size // 4), count, u64(memory.data_ptr() + start), u64(step),
                    u64(0 if keys is None else self.keys.data_ptr() + keys), u64(size), u32(keep),
                    u32(constant))

    def load_keys(self, keys):
        self.keys[:keys.numel()].copy_(keys)

    def forget_keys(self):
        self.keys.zero_()

    def flush(self):
        result = self.driver.cuCtxResetPersistingL2Cache()
        if result not in (0, NOT_SUPPORTED):
            raise RuntimeError(f"cuCtxResetPersistingL2Cache: {result}")
        u64 = ctypes.c_uint64
        self.launch("read", self.cold_bytes // 16, 1, u64(self.cold.data_ptr()),
                    u64(self.cold_bytes // 16), u64(self.keys.data_ptr()))
        self.synchronize()

    def idle(self):
        self.launch("idle", 1, 1)

    def capture(self, work):
        """A graph of what `work` launches, with the two events as its first and last node."""
        graph = torch.cuda.CUDAGraph()
        self.synchronize()
        graph.capture_begin(pool=self.pool, capture_error_mode="thread_local")
        self.check("cuEventRecordWithFlags", self.begin, self.handle(), RECORD_EXTERNAL)
        work()
        self.check("cuEventRecordWithFlags", self.end, self.handle(), RECORD_EXTERNAL)
        graph.capture_end()
        self.synchronize()
        # Graphs share one pool of memory, which lives as long as one of them does.
        self.last_graph = graph
        return graph

    def replay(self, graph):
        """Nanoseconds between the graph's events."""
        graph.replay()
        return self.elapsed()

    def time(self, work):
        """Nanoseconds on the device from before to after what `work` launches."""
        self.check("cuEventRecord", self.begin, self.handle())
        work()
        self.check("cuEventRecord", self.end, self.handle())
        return self.elapsed()

    def elapsed(self):
        self.synchronize()
        milliseconds = ctypes.c_float()
        self.check("cuEventElapsedTime", ctypes.byref(milliseconds), self.begin, self.end)
        return int(milliseconds.value * 1e6)
