#!/usr/bin/env python3
"""Checks the cards of data/skills: front matter, names, cover, length, and that their code compiles.

    tests/data/check_skills.py [--cuda]

A fenced block says what it is behind its language:
    cpp host [op=NAME] [dtype=TYPE]   compiled by g++ against kernels/include, with the task.h of NAME
    cuda ARCH [dtype=TYPE]            compiled by nvcc, with --cuda only: that takes a minute
Blocks of other languages (yaml, hip, text) are for reading. Ends with 1 where a card is wrong.
"""

import argparse
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
SKILLS = ROOT / "data" / "skills"
OPS = ROOT / "kernels" / "ops"

KEYS = ["name", "description", "kind", "operators", "devices", "languages", "failures", "requires", "source"]
LISTS = set(KEYS[3:])
KINDS = {"family", "architecture", "failure", "language", "technique"}
ARCHITECTURES = ["sm_80", "sm_89", "sm_90", "sm_100", "gfx90a", "gfx942", "gfx950", "avx2", "avx512", "amx"]
DEVICES = {"host", "cuda", "rocm", *ARCHITECTURES}
LANGUAGES = {"cpp", "cuda"}
LEAST_CARDS = 44
WORDS = range(120, 351)  # of a body, code included
WIDTH = 120

HOST_TYPES = {"fp32": "float", "fp16": "tp_fp16", "bf16": "tp_bf16", "int8": "std::int8_t",
              "uint8": "std::uint8_t", "int32": "std::int32_t", "int64": "std::int64_t"}
CUDA_TYPES = {"fp32": "float", "fp16": "__half", "bf16": "__nv_bfloat16"}
CUDA_TASK = """#ifndef TASK_H
#define TASK_H
#include <cstdint>
#include <cuda_bf16.h>
#include <cuda_fp16.h>
using T = {type};
__device__ __forceinline__ float tp_to_float(float x) {{ return x; }}
__device__ __forceinline__ float tp_to_float(__half x) {{ return __half2float(x); }}
__device__ __forceinline__ float tp_to_float(__nv_bfloat16 x) {{ return __bfloat162float(x); }}
template <typename To> __device__ __forceinline__ To tp_from_float(float x) {{ return static_cast<To>(x); }}
#endif
"""
HOST_PRELUDE = ('#include "task.h"\n#include <algorithm>\n#include <cmath>\n#include <cstddef>\n'
                "#include <limits>\n#include <immintrin.h>\n#line 1\n")


def flow_list(text):
    """[a, "b, c"] as a list, or None."""
    if not (text.startswith("[") and text.endswith("]")):
        return None
    items, rest = [], text[1:-1].strip()
    while rest:
        match = re.match(r'"((?:[^"\\]|\\.)*)"|([^,"\[\]]+)', rest)
        if not match:
            return None
        items.append(match.group(1) if match.group(1) is not None else match.group(2).strip())
        rest = rest[match.end():].strip()
        if rest:
            if not rest.startswith(",") or not rest[1:].strip():
                return None
            rest = rest[1:].strip()
    return items


def read_card(path, problems):
    """Front matter as a dict and the body's lines."""
    lines = path.read_text(encoding="utf-8").splitlines()
    if not lines or lines[0] != "---" or "---" not in lines[1:]:
        problems.append("no front matter between two lines of ---")
        return {}, []
    end = lines.index("---", 1)
    card = {}
    for line in lines[1:end]:
        key, colon, value = line.partition(":")
        value = value.strip()
        if not colon or key != key.strip() or key in card:
            problems.append(f"front matter: cannot read {line!r}, or it is there twice")
            continue
        if key in LISTS:
            card[key] = flow_list(value)
            if card[key] is None:
                problems.append(f"{key}: expected a list in brackets")
                card[key] = []
        else:
            quoted = re.fullmatch(r'"((?:[^"\\]|\\.)*)"', value)
            if not quoted and (": " in value or " #" in value or value[:1] in "[{&*!|>'\"%@`"):
                problems.append(f"{key}: put it in double quotes")
            card[key] = quoted.group(1) if quoted else value
    if list(card) != KEYS:
        problems.append(f"keys are {', '.join(card)}; they must be {', '.join(KEYS)}")
    return card, lines[end + 1:]


def blocks_of(body):
    """(info, text, line in the body) of each fenced block."""
    found, info, start = [], None, 0
    for number, line in enumerate(body):
        if not line.startswith("```"):
            continue
        if info is None:
            info, start = line[3:].strip(), number
        else:
            found.append((info, "\n".join(body[start + 1:number]) + "\n", start + 1))
            info = None
    return found, info is not None


def read_op(path):
    """What task.h is made of: tensors, dims and attributes by name, out of the regular layout of these files."""
    sections, section, entry = {}, None, None
    family = None
    for line in path.read_text(encoding="utf-8").splitlines():
        text = re.sub(r"\s+#.*$|^#.*$", "", line)
        if not text.strip():
            continue
        top = re.match(r"(\w+):\s*(.*)$", text)
        if top:
            section, entry = top.group(1), None
            sections.setdefault(section, {})
            if section == "family":
                family = top.group(2)
            continue
        inner = re.match(r"  (\w+):\s*(.*)$", text)
        if inner and section in ("dims", "attributes", "inputs", "outputs"):
            entry = inner.group(1)
            sections[section][entry] = inner.group(2)
        elif entry:
            sections[section][entry] += " " + text.strip()
    return family, sections


def host_task(op, dtype):
    """A task.h as the harness writes it, of an operator and a type."""
    text = '#ifndef TASK_H\n#define TASK_H\n#include "tensorpath_kernel.h"\n'
    if op:
        _, sections = read_op(OPS / f"{op}.yaml")
        fields, strides = [], []
        for section in ("inputs", "outputs"):
            for name, spec in sections[section].items():
                declared = re.search(r"dtype: (\w+)", spec).group(1)
                kind = HOST_TYPES.get(dtype if declared == "T" else declared, "tp_code")
                fields.append(f"  {'const ' if section == 'inputs' else ''}{kind}* {name};\n")
                if "strided: true" in spec:
                    strides.append(f"  std::int64_t {name}_stride;\n")
        fields.append("  void* workspace;\n")
        fields += [f"  std::int64_t {name};\n" for name in sections["dims"]]
        fields += strides + [f"  double {name};\n" for name in sections.get("attributes", {})]
        text += "struct task_args {\n" + "".join(fields) + "};\n"
    return text + "#endif\n"


def compile_block(command, name, source, task, directory):
    pathlib.Path(directory, "task.h").write_text(task, encoding="utf-8")
    pathlib.Path(directory, name).write_text(source, encoding="utf-8")
    done = subprocess.run(command + [name], cwd=directory, capture_output=True, text=True, check=False)
    return "" if done.returncode == 0 else "\n".join((done.stderr + done.stdout).splitlines()[:6])


def check_code(cards, gxx, nvcc, problem):
    counts = {"host": 0, "cuda": 0}
    with tempfile.TemporaryDirectory() as directory:
        for name, (_, body) in sorted(cards.items()):
            found, is_open = blocks_of(body)
            if is_open:
                problem(name, "a fenced block has no end")
            for info, text, line in found:
                words = info.split()
                options = dict(word.split("=", 1) for word in words if "=" in word)
                dtype = options.get("dtype", "fp32")
                if words[:1] == ["cpp"]:
                    if words[1:2] != ["host"]:
                        problem(name, f"block at line {line}: cpp is for the host, so write 'cpp host'")
                        continue
                    counts["host"] += 1
                    op = options.get("op")
                    if op and not (OPS / f"{op}.yaml").exists():
                        problem(name, f"block at line {line}: there is no operator {op}")
                        continue
                    if not gxx:
                        continue
                    said = compile_block([gxx, "-std=c++20", "-march=x86-64-v3", "-O1", "-Wall", "-Wextra", "-Werror",
                                          "-Wno-unused", "-fno-exceptions", "-fno-rtti",
                                          f"-I{ROOT / 'kernels' / 'include'}", "-c", "-o", "block.o"],
                                         "kernel.cpp", HOST_PRELUDE + text, host_task(op, dtype), directory)
                elif words[:1] == ["cuda"]:
                    counts["cuda"] += 1
                    if words[1:2] == [] or words[1] not in ARCHITECTURES:
                        problem(name, f"block at line {line}: say for which architecture, as 'cuda sm_80'")
                        continue
                    if not nvcc:
                        continue
                    arch = words[1] + ("a" if words[1] in ("sm_90", "sm_100") else "")
                    said = compile_block([nvcc, "-std=c++20", "-cubin", f"-arch={arch}", "-o", "block.cubin"],
                                         "kernel.cu", '#include "task.h"\n#line 1\n' + text,
                                         CUDA_TASK.format(type=CUDA_TYPES[dtype]), directory)
                else:
                    continue
                if said:
                    problem(name, f"block at line {line} does not compile:\n{said}")
    return counts


def check_cycles(cards, problem):
    done = set()

    def visit(name, way):
        if name in way:
            problem(name, "requires itself: " + " -> ".join([*way[way.index(name):], name]))
        elif name in cards and name not in done:
            for other in cards[name][0].get("requires", []):
                visit(other, [*way, name])
            done.add(name)

    for name in sorted(cards):
        visit(name, [])


def check_cover(cards, operators, families, failures, problem):
    def of(kind, key):
        return {one for card, _ in cards.values() if card.get("kind") == kind for one in card.get(key, [])}

    named = of("family", "operators")
    for operator, family in sorted(operators.items()):
        if operator not in named and family not in named:
            problem("cover", f"no family card is for {operator} ({family})")
    for what, wanted, got in [("family", families, named | {operators[one] for one in named if one in operators}),
                              ("architecture", ARCHITECTURES, of("architecture", "devices")),
                              ("failure", failures - {"none"}, of("failure", "failures")),
                              ("language", LANGUAGES, of("language", "languages"))]:
        for one in sorted(set(wanted) - got):
            problem("cover", f"no {what} card is for {one}")
    if len(cards) < LEAST_CARDS:
        problem("cover", f"{len(cards)} cards; at least {LEAST_CARDS} are due")


def main():
    parser = argparse.ArgumentParser(description="Checks the cards of data/skills.")
    parser.add_argument("--cuda", action="store_true", help="compile their CUDA blocks too")
    arguments = parser.parse_args()

    problems = []

    def problem(name, text):
        problems.append(f"{name}: {text}")

    operators = {path.stem: read_op(path)[0] for path in OPS.glob("*.yaml")}
    families = set(operators.values())
    failures = set(re.findall(r'\{Failure::k\w+,\s*"(\w+)"',
                              (ROOT / "lib/src/harness/failure.cpp").read_text(encoding="utf-8")))
    cards = {}
    for path in sorted(SKILLS.iterdir()):
        if path.suffix != ".md":
            problem(path.name, "is no card")
            continue
        mine = []
        cards[path.stem] = read_card(path, mine)
        for text in mine:
            problem(path.stem, text)

    allowed = {"operators": families | set(operators), "devices": DEVICES, "languages": LANGUAGES,
               "failures": failures - {"none"}, "requires": set(cards)}
    for name, (card, body) in cards.items():
        if card.get("name") != name or not re.fullmatch(r"[a-z0-9]+(-[a-z0-9]+)*", name):
            problem(name, f"name is {card.get('name')!r}: it must be the file's stem, in kebab-case")
        if card.get("kind") not in KINDS:
            problem(name, f"kind {card.get('kind')!r} is none of {', '.join(sorted(KINDS))}")
        if not card.get("description") or not card.get("source"):
            problem(name, "description and source must not be empty")
        for key, known in allowed.items():
            for one in card.get(key, []):
                if one not in known:
                    problem(name, f"{key}: there is no {one!r}")
        if card.get("kind") == "failure" and not card.get("failures"):
            problem(name, "a failure card names its classes")
        words = len(" ".join(body).split())
        if words not in WORDS:
            problem(name, f"the body has {words} words; {WORDS.start} to {WORDS.stop - 1} are due")
        for number, line in enumerate(body, 1):
            if len(line) > WIDTH:
                problem(name, f"line {number} of the body is longer than {WIDTH} characters")

    check_cycles(cards, problem)
    check_cover(cards, operators, families, failures, problem)
    gxx = shutil.which("g++")
    nvcc = (shutil.which("nvcc") or shutil.which("/usr/local/cuda/bin/nvcc")) if arguments.cuda else None
    counts = check_code(cards, gxx, nvcc, problem)
    if not gxx:
        print("note: there is no g++; host blocks were not compiled")
    if arguments.cuda and not nvcc:
        print("note: there is no nvcc; CUDA blocks were not compiled")

    for text in problems:
        print(text, file=sys.stderr)
    compiled = counts["host"] * bool(gxx) + counts["cuda"] * bool(nvcc)
    print(f"{len(cards)} cards, {counts['host']} host and {counts['cuda']} CUDA blocks ({compiled} compiled), "
          f"{len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
