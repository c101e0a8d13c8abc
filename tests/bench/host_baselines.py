#!/usr/bin/env python3
"""How near the tuned baselines of the host come to what this processor can do.

host_baselines.py [OP...]: measures the ceilings, then times each operator's tuned baseline at one
shape that no cache holds cold, beside its vendors' libraries, and prints a table. A baseline is to
reach 70% of the ceiling or of the fastest vendor's speed. Run by scripts/bench baselines, with
TENSORPATH set to the binary. Needs a quiet machine and half a minute an operator.

The ceiling is the longer of two times: all bytes read at the rate of the kernel that only reads and
all bytes written at what the copying kernel needs beyond that; all operations at the rate of
multiply-adds in registers. The roofline that `forge bench` prints is lower on purpose: it holds
against suspects, so it counts no byte that a cache may keep.
"""

import datetime
import json
import os
import shutil
import subprocess
import sys
import tempfile

LEAST = 0.70
VENDORS = ("openblas", "onednn")
ROWS = "rows=128,hidden=4096"
N = 4 * 128 * 4096  # bytes of ROWS in fp32
K = 4 * 1024 * 1024
# Of each operator, in fp32: a shape of megabytes or, where products dominate, of 10 to 300 MFLOP, and
# the bytes that a call reads and writes. Contents decide at some: of contexts half the longest is
# read, of 1024 rows drawn from 1024 a share of 1 - 1/e.
SHAPES = {
    "abs": [(ROWS, N, N)],
    "conv2d": [("batch=1,groups=1,in_channels=32,out_channels=32,stride=1,padding=1,dilation=1,"
                "height=28,width=28,kernel_h=3,kernel_w=3", 137216, 100352)],
    "cross_entropy": [("rows=32,vocab=32000", 4 * 32 * 32000, 0)],
    "decode_attention": [("batch=4,kv_heads=2,q_heads=8,head_dim=128,page_size=16,pages=64",
                          4 * 4 * 512 * 2 * 2 * 128, 16384)],
    "dequant_fp8_block": [("rows=1024,cols=1024", K / 4, K)],
    "dequant_int4": [("group=128,k=1024,n=1024", K / 8, K)],
    "dequant_mxfp4": [("rows=1024,cols=1024", K / 8 + K / 128, K)],
    "dequant_nvfp4": [("rows=1024,cols=1024", K / 8 + K / 64, K)],
    "elementwise_add": [(ROWS, 2 * N, N)],
    "elementwise_mul": [(ROWS, 2 * N, N)],
    "embedding": [("tokens=1024,vocab=1024,hidden=1024", 0.632 * K, K)],
    "embedding_grad": [("tokens=1024,vocab=1024,hidden=512", K / 2, K / 2)],
    "exp": [(ROWS, N, N)],
    "fused_add_rmsnorm": [(ROWS, 2 * N, 2 * N)],
    "gelu": [(ROWS, N, N)],
    "grouped_moe_gemm": [("experts=8,tokens=64,n=512,k=512", 4 * 7 * 512 * 512, 131072)],
    "kv_cache_append": [("kv_heads=8,head_dim=128,page_size=16,blocks=64,tokens=512", K, K)],
    "layernorm": [(ROWS, N, N)],
    "log": [(ROWS, N, N)],
    "matmul": [("m=512,n=512,k=512", K / 2, K / 4), ("m=1,n=1024,k=1024", K, 4096)],
    "max_last": [(ROWS, N, 0)],
    "mean_last": [(ROWS, N, 0)],
    "mla_decode": [("batch=2,heads=16,kv_lora_rank=512,rope_dim=64,page_size=64,pages=16",
                    4 * 2 * 512 * 576, 65536)],
    "moe_topk_softmax": [("tokens=4096,experts=128,topk=8", 4 * 4096 * 128, 8 * 4096 * 8)],
    "prefill_attention": [("batch=1,kv_heads=2,q_heads=4,head_dim=64,keys=256,queries=256",
                           524288, 262144)],
    "quant_fp8_per_token": [("tokens=256,hidden=4096", 2 * N, N / 2)],
    "relu": [(ROWS, N, N)],
    "rmsnorm": [(ROWS, N, N)],
    "rope": [("tokens=1024,heads=8,head_dim=128,rotary_dim=128,max_positions=2048", K, K)],
    "sampling": [("rows=32,vocab=32000", 4 * 32 * 32000, 0)],
    "sigmoid": [(ROWS, N, N)],
    "silu": [(ROWS, N, N)],
    "softmax": [(ROWS, N, N)],
    "sqrt": [(ROWS, N, N)],
    "sum_last": [(ROWS, N, 0)],
    "swiglu": [(ROWS, 2 * N, N)],
    "tanh": [(ROWS, N, N)],
    "transpose": [("rows=1024,columns=1024", K, K)],
}


def tensorpath(*words):
    """Standard output of the command; its failure ends the script."""
    done = subprocess.run([os.environ["TENSORPATH"], *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"tensorpath {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def measure(baseline, op, shape):
    """The report of the tuned baseline, handed in as a candidate."""
    run = tensorpath("forge", "create", "-q", "--op", op, "--dtype", "fp32", "--shape", shape,
                     "--cases", "12").strip()
    candidate = os.path.join(os.environ["TENSORPATH_RUNS"], run, "candidate")
    for name in os.listdir(baseline):
        shutil.copy(os.path.join(baseline, name), candidate)
    tensorpath("forge", "verify", "-q", "--no-sanitizers", "--run-id", run)
    return json.loads(tensorpath("forge", "bench", "-q", "--run-id", run, "--rounds", "10",
                                 "--format", "json"))


def ceiling_us(flops, ceilings, read, written):
    """What a call takes at the measured rates."""
    read_rate, copy_rate = ceilings["read_gb_s"], ceilings["copy_gb_s"]
    moving = read / read_rate + written * max(0, 2 / copy_rate - 1 / read_rate)
    return max(moving, flops / ceilings["fp32_gflop_s"]) / 1e3


def row_of(op, shape, read, written, report):
    """The cells of a row, and whether the baseline is fast enough."""
    case = report["cases"][0]
    us = next(arm["cold"]["p50_us"] for arm in case["arms"] if arm["arm"] == "candidate")
    flops = report["plan"]["cases"][0]["flops"]
    share = ceiling_us(flops, report["ceilings"], read, written) / us
    cells = {"op": op, "shape": shape, "us": f"{us:.0f}", "ceiling": f"{share:.0%}",
             "roofline": f"{case['roofline']['percent']:.0f}%"}
    ratios = []
    absent = {arm["name"]: arm.get("absent") for arm in report["plan"]["arms"]}
    for arm in case["arms"]:
        if arm["arm"] in VENDORS and arm["ratio"] and not absent[arm["arm"]]:
            ratios.append(arm["ratio"]["value"])
            cells[arm["arm"]] = f"{arm['ratio']['value']:.2f}"
        elif arm["arm"] in VENDORS:
            cells[arm["arm"]] = "absent" if absent[arm["arm"]] else "-"
    met = share >= LEAST or bool(ratios) and min(ratios) >= LEAST
    dropped = report["dropped_pairs"] > report["pairs"] / 5
    cells["verdict"] = ("met" if met else "BELOW 70%") + (", disturbed" if dropped else "")
    return cells, met


def main():
    source = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../..")
    baselines = os.path.join(source, "kernels/baselines")
    tuned = [op for op in sorted(os.listdir(baselines))
             if os.path.isdir(os.path.join(baselines, op, "tuned"))]
    wanted = sys.argv[1:] or tuned
    unknown = [op for op in wanted if op not in tuned or op not in SHAPES]
    if unknown:
        sys.exit(f"no tuned baseline, or no shape in {__file__}: {', '.join(unknown)}")
    with tempfile.TemporaryDirectory() as scratch:
        os.environ["TENSORPATH_RUNS"] = os.path.join(scratch, "runs")
        os.environ["XDG_DATA_HOME"] = os.path.join(scratch, "share")
        tensorpath("devices", "--calibrate")
        header, below = None, []
        for op in wanted:
            for shape, read, written in SHAPES[op]:
                report = measure(os.path.join(baselines, op, "tuned"), op, shape)
                if header is None:
                    header = report
                    environment, ceilings = report["environment"], report["ceilings"]
                    print(f"{environment['processor']}, {len(environment['worker_cores'])} threads,"
                          f" {datetime.date.today().isoformat()}")
                    print(", ".join(f"{key} {value:.1f}" for key, value in ceilings.items()
                                    if key in ("read_gb_s", "copy_gb_s", "fp32_gflop_s")))
                    print("fp32; ceiling: share of what this processor was measured to reach;"
                          " roofline: as forge bench prints it;\nopenblas, onednn: their time over"
                          " ours\n")
                    print(f"{'op':20} {'us':>6} {'ceiling':>7} {'roofline':>8} {'openblas':>8}"
                          f" {'onednn':>6}  {'':10} shape")
                cells, met = row_of(op, shape, read, written, report)
                below += [] if met else [op]
                print(f"{op:20} {cells['us']:>6} {cells['ceiling']:>7} {cells['roofline']:>8}"
                      f" {cells.get('openblas', ''):>8} {cells.get('onednn', ''):>6}"
                      f"  {cells['verdict']:10} {shape}", flush=True)
        print(f"\nbelow 70% of the ceiling and of the fastest vendor: {', '.join(below) or 'none'}")


if __name__ == "__main__":
    main()
