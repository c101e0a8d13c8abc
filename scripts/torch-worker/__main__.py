"""The worker of tensorpath's library baselines: PyTorch, and the vendors' libraries through it.

It speaks the protocol of tensorpath-worker (worker_protocol.h) and is started by tensorpath forge:

  python3 torch-worker --baseline FILE --kernels FILE --arm ARM --dtype T [--cores LIST]
  python3 torch-worker --probe

ARM: torch-eager, torch-compile, torch-graph (compiled, and captured in a CUDA graph), cublaslt,
cudnn (eager with that library, captured). FILE of --kernels: the harness's own, as PTX. --probe
prints what there is, a fact a line, or says why nothing is. --device cpu stands in for a GPU in the
worker's own tests.
"""

import argparse
import gc
import os
import sys
import traceback

import protocol

ARMS = ("torch-eager", "torch-compile", "torch-graph", "cublaslt", "cudnn")


def parse_arguments():
    parser = argparse.ArgumentParser(prog="torch-worker", description="started by tensorpath forge")
    parser.add_argument("--device", choices=("cuda", "cpu"), default="cuda")
    parser.add_argument("--probe", action="store_true")
    parser.add_argument("--baseline")
    parser.add_argument("--kernels")
    parser.add_argument("--arm", choices=ARMS, default="torch-eager")
    parser.add_argument("--dtype", default="fp32")
    parser.add_argument("--cores", default="")
    return parser.parse_args()


def probe(device):
    """0 when PyTorch works on the device; says what it is or why not, in a line."""
    try:
        import torch
        print(f"torch: {torch.__version__}")
        if device == "cuda":
            if not torch.cuda.is_available():
                torch.cuda.init()  # says why
            print(f"cuda: {torch.version.cuda}\ngpu: {torch.cuda.get_device_name(0)}")
            torch.ones(1, device="cuda").item()
        print("works: yes")
        return 0
    except Exception as error:  # whatever an installation may come up with is a reason
        print(f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error) else ''}")
        return 1


def configure(torch, device, arm):
    """Sums in fp32 and products of full precision: what verify wants of a kernel."""
    torch.backends.cuda.matmul.allow_tf32 = False
    torch.backends.cuda.matmul.allow_fp16_reduced_precision_reduction = False
    torch.backends.cuda.matmul.allow_bf16_reduced_precision_reduction = False
    torch.backends.cudnn.allow_tf32 = False
    torch.backends.cudnn.benchmark = True
    if device == "cuda" and arm == "cublaslt":
        torch.backends.cuda.preferred_blas_library("cublaslt")


def compiled(torch, forward):
    """forward() by Inductor with everything it can try; never silently back to eager."""
    import torch._dynamo as dynamo
    import torch._inductor.compile_fx  # now, while others start too, and not at the first call
    for limit in ("recompile_limit", "cache_size_limit", "accumulated_recompile_limit",
                  "accumulated_cache_size_limit"):
        if hasattr(dynamo.config, limit):
            setattr(dynamo.config, limit, 1 << 20)
    return torch.compile(forward, mode="max-autotune-no-cudagraphs", dynamic=False, fullgraph=True)


def call(request, device, baseline, torch):
    """kCall: the buffers of one call copied in, the plain forward(), everything copied back."""
    views, data = [], []
    for buffer in request.buffers:
        span = buffer.pages * protocol.PAGE
        if not span or buffer.data_offset + buffer.bytes > span:
            raise protocol.BadRequest("a buffer outside of the arena")
        view = torch.frombuffer(protocol.map_arena(buffer.arena_offset, span), dtype=torch.uint8)
        memory = device.zeros(span)
        memory.copy_(view)
        views.append((view, memory))
        data.append(memory[buffer.data_offset:buffer.data_offset + buffer.bytes])
    bound = baseline.bind(request, data, baseline.forward)
    results = []
    nanoseconds = device.time(lambda: results.extend(bound.run()))
    bound.store(results)
    for view, memory in views:
        view.copy_(memory)
    device.synchronize()
    return nanoseconds


def serve(arguments, link):
    import torch

    from baseline import Baseline
    from timed import TimedCalls
    if arguments.device == "cuda":
        from cuda_device import CudaDevice as Device
    else:
        from cpu_device import CpuDevice as Device
    configure(torch, arguments.device, arguments.arm)
    device = Device(arguments.kernels)
    baseline = Baseline(arguments.baseline, arguments.dtype)
    compiles = arguments.arm in ("torch-compile", "torch-graph")
    forward = compiled(torch, baseline.forward) if compiles else baseline.forward
    timed = TimedCalls(device, baseline, forward,
                       captured=arguments.arm not in ("torch-eager", "torch-compile"))
    if arguments.cores:
        os.sched_setaffinity(0, {int(core) for core in arguments.cores.split(",")})
    # Nothing here makes cycles, and a collection inside a sample would be timed.
    gc.collect()
    gc.freeze()
    gc.disable()
    link.reply(protocol.READY)
    with torch.inference_mode():
        while message := link.receive():
            nonce = 0
            try:
                request = protocol.Request(message)
                nonce = request.header.nonce
                if request.header.ask == protocol.CALL:
                    nanoseconds = call(request, device, baseline, torch)
                else:
                    nanoseconds = timed.serve(request)
                link.reply(protocol.DONE, nonce, nanoseconds)
            except protocol.BadRequest as error:
                link.reply(protocol.REQUEST, nonce, text=str(error))


def main():
    arguments = parse_arguments()
    if arguments.probe:
        return probe(arguments.device)
    try:
        serve(arguments, protocol.Link())
        return 0
    except BaseException:  # the harness shows the end of what is printed here
        traceback.print_exc()
        return 1


if __name__ == "__main__":
    status = main()
    sys.stdout.flush()
    sys.stderr.flush()
    # PyTorch's own taking down takes seconds.
    os._exit(status)
