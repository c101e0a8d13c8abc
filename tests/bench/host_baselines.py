#!/usr/bin/env python3
"""How near the tuned baselines of the host come to what this processor can do.

host_baselines.py [OP...]: measures the ceilings, then times each operator's tuned baseline at one
shape that no cache holds cold, beside its vendors' libraries, and prints a table. A baseline is to
reach 70% of the roofline or of the fastest vendor's speed. Run by scripts/bench baselines, with
TENSORPATH set to the binary. Needs a quiet machine and some minutes an operator.
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
SHAPES = {  # dtype and shape, of megabytes or, where products dominate, of 10 to 300 MFLOP
    "abs": [("fp32", ROWS)],
    "conv2d": [("fp32", "batch=1,groups=1,in_channels=32,out_channels=32,stride=1,padding=1,"
                "dilation=1,height=28,width=28,kernel_h=3,kernel_w=3")],
    "cross_entropy": [("fp32", "rows=32,vocab=32000")],
    "decode_attention": [("fp32", "batch=4,kv_heads=2,q_heads=8,head_dim=128,page_size=16,pages=64")],
    "dequant_fp8_block": [("fp32", "rows=1024,cols=1024")],
    "dequant_int4": [("fp32", "group=128,k=1024,n=1024")],
    "dequant_mxfp4": [("fp32", "rows=1024,cols=1024")],
    "dequant_nvfp4": [("fp32", "rows=1024,cols=1024")],
    "elementwise_add": [("fp32", ROWS)],
    "elementwise_mul": [("fp32", ROWS)],
    "embedding": [("fp32", "tokens=1024,vocab=1024,hidden=1024")],
    "embedding_grad": [("fp32", "tokens=1024,vocab=1024,hidden=512")],
    "exp": [("fp32", ROWS)],
    "fused_add_rmsnorm": [("fp32", ROWS)],
    "gelu": [("fp32", ROWS)],
    "grouped_moe_gemm": [("fp32", "experts=8,tokens=64,n=512,k=512")],
    "kv_cache_append": [("fp32", "kv_heads=8,head_dim=128,page_size=16,blocks=64,tokens=512")],
    "layernorm": [("fp32", ROWS)],
    "log": [("fp32", ROWS)],
    "matmul": [("fp32", "m=512,n=512,k=512"), ("fp32", "m=1,n=1024,k=1024")],
    "max_last": [("fp32", ROWS)],
    "mean_last": [("fp32", ROWS)],
    "mla_decode": [("fp32", "batch=2,heads=16,kv_lora_rank=512,rope_dim=64,page_size=64,pages=16")],
    "moe_topk_softmax": [("fp32", "tokens=4096,experts=128,topk=8")],
    "prefill_attention": [("fp32", "batch=1,kv_heads=2,q_heads=4,head_dim=64,keys=256,queries=256")],
    "quant_fp8_per_token": [("fp32", "tokens=256,hidden=4096")],
    "relu": [("fp32", ROWS)],
    "rmsnorm": [("fp32", ROWS)],
    "rope": [("fp32", "tokens=1024,heads=8,head_dim=128,rotary_dim=128,max_positions=2048")],
    "sampling": [("fp32", "rows=32,vocab=32000")],
    "sigmoid": [("fp32", ROWS)],
    "silu": [("fp32", ROWS)],
    "softmax": [("fp32", ROWS)],
    "sqrt": [("fp32", ROWS)],
    "sum_last": [("fp32", ROWS)],
    "swiglu": [("fp32", ROWS)],
    "tanh": [("fp32", ROWS)],
    "transpose": [("fp32", "rows=1024,columns=1024")],
}


def tensorpath(*words):
    """Standard output of the command; its failure ends the script."""
    done = subprocess.run([os.environ["TENSORPATH"], *words], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"tensorpath {' '.join(words)}: {done.stdout}{done.stderr}")
    return done.stdout


def measure(baseline, op, dtype, shape):
    """The report of the tuned baseline, handed in as a candidate."""
    run = tensorpath("forge", "create", "-q", "--op", op, "--dtype", dtype, "--shape", shape,
                     "--cases", "12").strip()
    candidate = os.path.join(os.environ["TENSORPATH_RUNS"], run, "candidate")
    for name in os.listdir(baseline):
        shutil.copy(os.path.join(baseline, name), candidate)
    tensorpath("forge", "verify", "-q", "--no-sanitizers", "--run-id", run)
    return json.loads(tensorpath("forge", "bench", "-q", "--run-id", run, "--rounds", "10",
                                 "--format", "json"))


def row_of(op, dtype, shape, report):
    """The cells of a row, and whether the baseline is fast enough."""
    case = report["cases"][0]
    share = case["roofline"]["percent"] / 100
    cells = {"op": op, "dtype": dtype, "shape": shape, "us": 0, "roofline": f"{share:.0%}"}
    ratios = []
    absent = {arm["name"]: arm.get("absent") for arm in report["plan"]["arms"]}
    for arm in case["arms"]:
        if arm["arm"] == "candidate":
            cells["us"] = f"{arm['cold']['p50_us']:.0f}"
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
            for dtype, shape in SHAPES[op]:
                report = measure(os.path.join(baselines, op, "tuned"), op, dtype, shape)
                if header is None:
                    header = report
                    environment, ceilings = report["environment"], report["ceilings"]
                    print(f"{environment['processor']}, {len(environment['worker_cores'])} threads,"
                          f" {datetime.date.today().isoformat()}")
                    print(", ".join(f"{key} {value:.1f}" for key, value in ceilings.items()
                                    if key in ("read_gb_s", "copy_gb_s", "fp32_gflop_s")))
                    print("roofline: share of what this processor was measured to reach; openblas,"
                          " onednn: their time over ours\n")
                    print(f"{'op':20} {'type':5} {'us':>8} {'roofline':>8} {'openblas':>8}"
                          f" {'onednn':>8}  {'':10} shape")
                cells, met = row_of(op, dtype, shape, report)
                below += [] if met else [op]
                print(f"{op:20} {dtype:5} {cells['us']:>8} {cells['roofline']:>8}"
                      f" {cells.get('openblas', ''):>8} {cells.get('onednn', ''):>8}"
                      f"  {cells['verdict']:10} {shape}", flush=True)
        print(f"\nbelow 70% of the roofline and of the fastest vendor: {', '.join(below) or 'none'}")


if __name__ == "__main__":
    main()
