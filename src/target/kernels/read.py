"""Writes the kernel tables of this folder.

    python read.py versions                                the versions of each ONNX op, from the package onnx, and
                                                           `function` for ops that ONNX defines by others
    python read.py cpu 1.17=DIR 1.18=DIR ...               from the registries of ONNX Runtime's wheels
    python read.py cuda 1.17=OperatorKernels.md ...        from docs/OperatorKernels.md of ONNX Runtime's releases
    python read.py directml 1.17=OperatorKernels.md ...
    python read.py tensorrt 8.6=operators.md ...           from docs/operators.md of onnx-tensorrt's releases
    python read.py coreml 1.30=coreml_supported_mlprogram_ops.md
    python read.py qnn 1.30=op_builder_factory.cc
    python read.py webgpu 1.30=FOLDER                      from onnxruntime/core/providers/webgpu, with `cpp`
    python read.py openvino 2026.4=DIR                     by loading a node of each op
    python read.py tract 0.23=FOLDER                       from onnx/src/ops of tract
    python read.py rten 0.27=onnx_registry.rs              from src/op_registry of rten; see `rten` for types
    python read.py onnx 1.22=DIR                           from the reference evaluator of the package onnx

DIR holds the packages of a wheel: `pip install --no-deps --target DIR onnxruntime==1.17.3`. Wheels of 1.17 and 1.18 need
NumPy 1, so `DIR:DIR2` may name a second folder. The table goes to standard output. A line is

    Op VERSIONS RELEASES [PLACE:TYPES]...

VERSIONS are those of a registration: `13+` begins at 13 and has no end, `9-12` ends at 12, `*` is any. RELEASES are the
first and the last release with that line, `1.17-1.20`; `1.17-` reaches the newest release that was read. PLACE is an
operand, `0`, or a result, `>0`. A place that is not listed takes every type.
"""

import json
import re
import subprocess
import sys
from pathlib import Path

import onnx

SHORT = {
    "bool": "i1", "double": "f64", "float": "f32", "float16": "f16", "bfloat16": "bf16",
    "float8e4m3fn": "f8E4M3FN", "float8e4m3fnuz": "f8E4M3FNUZ", "float8e5m2": "f8E5M2",
    "float8e5m2fnuz": "f8E5M2FNUZ", "float8e8m0": "f8E8M0FNU", "float4e2m1": "f4E2M1FN", "complex64": "complex<f32>",
    "complex128": "complex<f64>",
    **{f"int{bits}": f"i{bits}" for bits in (2, 4, 8, 16, 32, 64)},
    **{f"uint{bits}": f"ui{bits}" for bits in (2, 4, 8, 16, 32, 64)},
}  # fmt: skip
NO_END = 2**31 - 1
# No model has an older opset.
LOWEST = 15

DUMP = """
import json, onnxruntime
kernels = onnxruntime.capi._pybind_state.get_all_opkernel_def()
print(json.dumps([[k.op_name, list(k.version_range), {n: [str(t) for t in ts] for n, ts in k.type_constraints.items()}]
                  for k in kernels if k.domain == "" and k.provider == "CPUExecutionProvider"]))
"""


def schema(op, version):
    """The schema of an op that holds at a version, or None if this package does not know the op."""
    try:
        return onnx.defs.get_schema(op, max_inclusive_version=version)
    except onnx.defs.SchemaError:
        return None


def places(op, version, constraints):
    """Type constraints by name as constraints by operand and result: the first that each name stands for."""
    found = []
    known = schema(op, version)
    for name, types in constraints.items():
        # Models have neither sequences nor strings; a kernel for them may also take other tensors.
        tensors = [kind[7:-1] for kind in types if kind.startswith("tensor(") and kind != "tensor(string)"]
        short = sorted({SHORT[kind] for kind in tensors})
        if known is None or not short:
            continue
        for mark, parameters in (("", known.inputs), (">", known.outputs)):
            at = next((k for k, p in enumerate(parameters) if name in (p.type_str, p.name)), None)
            if at is not None:
                found.append(f"{mark}{at}:{','.join(short)}")
                break
    return " ".join(found)


def merged(rows):
    """Registrations that differ in one type alone, such as those of a template, as one row."""
    groups = {}
    for op, start, end, constraints in rows:
        groups.setdefault((op, start, end), []).append(constraints)
    for (op, start, end), several in groups.items():
        names = list(several[0])
        varying = [name for name in names if len({tuple(sorted(c[name])) for c in several}) > 1]
        if len(varying) <= 1:
            yield op, start, end, {name: sorted({t for c in several for t in c[name]}) for name in names}
        else:
            for constraints in several:
                yield op, start, end, constraints


def cpu(path):
    for op, (start, end), constraints in json.loads(output(path, DUMP)):
        yield op, start, end, constraints


def document(provider):
    """The section of a provider in docs/OperatorKernels.md."""

    def rows(path):
        text = Path(path).read_text()
        section = text.split(f"## Operators implemented by {provider}", 1)[1].split("\n## ", 1)[0]
        # The domain of ONNX comes first.
        section = section.split("Operator Domain:", 2)[1]
        op = None
        for line in section.splitlines():
            cells = line.strip().strip("|").split("|")
            if line.startswith("|||"):
                versions, types = line.strip("|\n").split("|", 1) if line.strip("|") else ("", "")
            elif line.startswith("|") and len(cells) >= 4:
                op, _, versions, types = cells[0], cells[1], cells[2], "|".join(cells[3:])
            else:
                continue
            match = re.fullmatch(r"\[?(\d+)(?:(\+)|, (\d+)\])?", versions.strip())
            if not match:
                continue
            start = int(match[1])
            end = NO_END if match[2] else int(match[3] or start)
            constraints = {
                name: re.findall(r"\w*\(?tensor\([a-z0-9]+\)\)?", listed)
                for name, listed in re.findall(r"\*\*(\w+)\*\* = ([^<]*)", types)
            }
            yield op, start, end, constraints

    return rows


def tensorrt(path):
    names = {"BOOL": "i1", "BF16": "bf16", "FP64": "f64", "FP32": "f32", "FP16": "f16", "UINT8": "ui8",
             "INT8": "i8", "INT32": "i32", "INT64": "i64", "INF64": "i64", "FP8": "f8E4M3FN", "INT4": "i4",
             "FP4": "f4E2M1FN", "DOUBLE": "f64"}  # fmt: skip
    for line in Path(path).read_text().splitlines():
        cells = [cell.strip() for cell in line.strip().strip("|").split("|")]
        if len(cells) >= 3 and cells[1] == "Y":
            types = sorted({names[kind] for kind in re.findall(r"\w+", cells[2])})
            # The types are those of the operand that the op is about, which is not the condition of Where.
            yield cells[0], "*", f"{int(cells[0] == 'Where')}:{','.join(types)}"


def coreml(path):
    spelled = {"Argmax": "ArgMax"}
    for op in re.findall(r"^\|ai\.onnx:(\w+)", Path(path).read_text(), re.M):
        yield spelled.get(op, op), "*", ""


def qnn(path):
    for op in re.findall(r'OpBuilder\("(\w+)"', Path(path).read_text()):
        yield op, "*", ""


MACROS = """
#define ONNX_OPERATOR_KERNEL_EX(n,d,v,p,b,...) @@ n|d|v|+|b
#define ONNX_OPERATOR_VERSIONED_KERNEL_EX(n,d,s,e,p,b,...) @@ n|d|s|e|b
#define ONNX_OPERATOR_TYPED_KERNEL_EX(n,d,v,t,p,b,...) @@ n|d|v|+|b
#define ONNX_OPERATOR_VERSIONED_TYPED_KERNEL_EX(n,d,s,e,t,p,b,...) @@ n|d|s|e|b
"""
NUMBERS = ["float", "float16", "int32", "uint32"]
SPELLED = {"MLFloat16": "float16", "int32_t": "int32", "uint32_t": "uint32", "int64_t": "int64", "uint8_t": "uint8",
           "int8_t": "int8"}  # fmt: skip


def webgpu_types(expression, body=""):
    """The types of a C++ expression; `body` is the function around it. None if it is not known."""
    if "type_constraints" in expression and "t1_type" not in expression:
        assigned = re.search(r"type_constraints = ([^;]+);", body)
        if not assigned:
            return None
        return webgpu_types(assigned[1]) + (["uint8"] if "push_back(DataTypeImpl::GetTensorType<uint8_t>" in body else [])
    for name, types in (
        ("GetCastT2TypeConstraints", [*NUMBERS, "int64", "bool"]),
        ("GetCastT1TypeConstraints", [*NUMBERS, "bool"]),
        ("GetGatherTypeConstraints", [*NUMBERS, "bool", "uint8"]),
        ("WebGpuSupportedNumberBoolAndUint8Types", [*NUMBERS, "bool", "uint8"]),
        ("WebGpuSupportedNumberAndBoolTypes", [*NUMBERS, "bool"]),
        ("WebGpuSupportedNumberTypes", NUMBERS),
        ("WebGpuSupportedFloatTypes", ["float", "float16"]),
    ):
        if name in expression:
            return list(types)
    if "GetOpTypeConstraints" in expression:
        # `enable_int64` is an option of sessions, and off.
        return NUMBERS + (["bool"] if re.search(r"true\s*\)", expression) else [])
    listed = [SPELLED.get(t.strip(), t.strip()) for found in re.findall(r"(?:Type|TypeList)<([^<>]+)>", expression) for t in found.split(",")]
    return listed or None


def webgpu_constraints(builder, body=""):
    found = {}
    for name, expression in re.findall(r'TypeConstraint\(\s*"(\w+)",\s*((?:[^()]|\((?:[^()]|\([^()]*\))*\))*)\)', builder):
        types = webgpu_types(expression, body)
        if types:
            found[name] = [f"tensor({kind})" for kind in types]
    return found


def webgpu(path):
    end_of = lambda text: NO_END if text in ("+", "std::nullopt", "") else int(text)
    functions = {}
    for file in sorted(Path(path).rglob("*.cc")):
        text = file.read_text()
        for name, body in re.findall(r"^KernelCreateInfo (Create\w+KernelInfo)\([^)]*\) \{(.*?)^\}", text, re.M | re.S):
            functions[name] = body
        if "ONNX_OPERATOR" in text and file.name != "webgpu_execution_provider.cc":
            code = "\n".join(line for line in text.splitlines() if not line.lstrip().startswith("#include"))
            command = ["cpp", "-P", "-nostdinc", "-x", "c++", "-"]
            expanded = subprocess.run(command, input=MACROS + code, capture_output=True, check=False, text=True).stdout
            for entry in re.findall(r"@@ (.*?)(?=@@|\n[a-zA-Z}/]|\Z)", expanded, re.S):
                op, domain, start, end, builder = entry.split("|", 4)
                constraints = webgpu_constraints(builder)
                # Registered with the option `enable_int64`, which is off.
                is_optional = op.strip() == "Clip" and constraints.get("T") == ["tensor(int64)"]
                if domain.strip() == "kOnnxDomain" and not is_optional:
                    yield op.strip(), int(start), end_of(end.strip()), constraints
        lists = {"int64_capable": NUMBERS, "number_types": NUMBERS, "float_types": ["float", "float16"], "bool_type": ["bool"]}
        for op, types, spans in re.findall(r'RegisterBinaryOp\(kernel_registry, "(\w+)", [^,]+, (\w+), \{(\{.*?\})\}[,)]', text):
            for start, end in re.findall(r"\{(\d+), ([\w:]+)\}", spans):
                yield op, int(start), end_of(end), {"T": [f"tensor({kind})" for kind in lists[types]]}
    provider = (Path(path) / "webgpu_execution_provider.cc").read_text()
    for name, start, end in re.findall(r"(Create\w+KernelInfo)\((\d+)(?:, (\d+))?, enable_int64\)", provider):
        body = functions[name]
        op = re.search(r'SetName\("(\w+)"\)', body)[1]
        yield op, int(start), end_of(end), webgpu_constraints(body, body)


def rust(pattern):
    """The ops that Rust code registers: a file, or all files of a folder."""

    def rows(path):
        files = sorted(Path(path).rglob("*.rs")) if Path(path).is_dir() else [Path(path)]
        known = {known.name for known in onnx.defs.get_all_schemas() if known.domain == ""}
        for file in files:
            for op in re.findall(pattern, file.read_text()):
                if op in known:
                    yield op, "*", ""

    return rows


PROBE = """
import io, sys, onnx, openvino
from onnx import helper, TensorProto
core = openvino.Core()
x = helper.make_tensor_value_info("x", TensorProto.FLOAT, [1])
for op in sys.argv[1].split():
    schema = onnx.defs.get_schema(op, max_inclusive_version=26)
    node = helper.make_node(op, ["x"] * schema.min_input, ["y"] * max(schema.min_output, 1))
    graph = helper.make_graph([node], "g", [x], [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 26)], ir_version=10)
    try:
        core.read_model(io.BytesIO(model.SerializeToString()))
    except RuntimeError as error:
        # Another error shows that the op is known.
        if f"No conversion rule found for operations: {op}-" in str(error):
            continue
    print(op)
"""

EVALUATOR = """
import sys
from onnx.reference.ops import load_op
for op in sys.argv[1].split():
    try:
        load_op("", op, int(sys.argv[2]))
    except NotImplementedError:
        continue
    except (AssertionError, RuntimeError):
        # The evaluator expands the op, which is a function.
        pass
    print(op)
"""


def probed(script, opset):
    """The ops that a script prints, of those that this package has at an opset."""

    def rows(path):
        ops = sorted({known.name for known in onnx.defs.get_all_schemas() if known.domain == ""})
        ops = [op for op in ops if schema(op, opset) is not None and not schema(op, opset).deprecated]
        for op in output(path, script, " ".join(ops), str(opset)).split():
            yield op, "*", ""

    return rows


def output(path, script, *arguments):
    """What a script prints with the packages of folders."""
    folders = ":".join(str(Path(folder).resolve()) for folder in path.split(":"))
    environment = {"PYTHONPATH": folders, "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", script, *arguments]
    return subprocess.run(command, env=environment, capture_output=True, check=True, text=True).stdout


def registered(reader):
    def rows(path):
        for op, start, end, constraints in merged(reader(path)):
            if end < LOWEST:
                continue
            versions = f"{start}+" if end == NO_END else f"{start}-{end}"
            yield op, versions, places(op, start, constraints)

    return rows


# rten has tensors of f32, i32, i8 and u8, and reads f64 as f32, and i64 and i1 as i32. In src/ops of rten: the ops of
# `run_typed_op!` and `map_value_view!` with `[FloatTensor, Int32Tensor]`, and those of f32 alone. Others take every tensor.
RTEN_FLOATS = "f32,f64"
RTEN_NUMBERS = "f32,f64,i1,i32,i64"
RTEN_TYPES = {
    **dict.fromkeys(
        "Abs Add ArgMax ArgMin Clip Concat CumSum Div Equal Greater GreaterOrEqual Less LessOrEqual Max Min Mod Mul Neg NonZero "
        "Pow Range ReduceL1 ReduceMax ReduceMin ReduceProd ReduceSum ReduceSumSquare Sign Sub Sum TopK".split(),
        f"0:{RTEN_NUMBERS}",
    ),
    **dict.fromkeys(
        "Acos Acosh Asin Asinh Atan Atanh Attention AveragePool BatchNormalization Ceil Conv ConvTranspose Cos Cosh DFT "
        "DepthToSpace Elu Erf Exp Floor GRU Gelu Gemm GlobalAveragePool GlobalMaxPool GridSample HardSigmoid HardSwish "
        "InstanceNormalization LSTM LayerNormalization LeakyRelu Log LogSoftmax LpNormalization MatMul MaxPool Mean PRelu "
        "RMSNormalization Reciprocal ReduceL2 ReduceLogSum ReduceLogSumExp ReduceMean Relu Resize RotaryEmbedding Round STFT "
        "Sigmoid Sin Sinh Softmax Softplus Softsign Sqrt Swish Tan Tanh Upsample".split(),
        f"0:{RTEN_FLOATS}",
    ),
    "OneHot": f"2:{RTEN_NUMBERS}",
    "Where": f"1:{RTEN_NUMBERS}",
}  # fmt: skip


def rten(path):
    for op, versions, _ in rust(r"register_op!\((\w+)")(path):
        yield op, versions, RTEN_TYPES.get(op, "")


READERS = {
    "cpu": registered(cpu),
    "cuda": registered(document("CUDAExecutionProvider")),
    "directml": registered(document("DmlExecutionProvider")),
    "tensorrt": tensorrt,
    "coreml": coreml,
    "qnn": qnn,
    "webgpu": registered(webgpu),
    "openvino": probed(PROBE, 26),
    "tract": rust(r'reg\.insert\(\s*"(\w+)"'),
    "rten": rten,
    "onnx": probed(EVALUATOR, 26),
}


def versions():
    history = {}
    for known in onnx.defs.get_all_schemas_with_history():
        if known.domain == "":
            history.setdefault(known.name, set()).add(known.since_version)
    for op in sorted(history):
        newest = onnx.defs.get_schema(op)
        is_function = newest.has_function or newest.has_context_dependent_function
        print(op, *sorted(history[op]), *["function"] * is_function)


def main():
    if sys.argv[1:] == ["versions"]:
        return versions()
    if len(sys.argv) < 3 or sys.argv[1] not in READERS:
        sys.exit(__doc__)
    sources = [argument.split("=", 1) for argument in sys.argv[2:]]
    releases = [release for release, _ in sources]
    known = {known.name for known in onnx.defs.get_all_schemas_with_history() if known.domain == ""}
    seen = {}
    for index, (_, path) in enumerate(sources):
        for row in READERS[sys.argv[1]](path):
            if row[0] not in known:
                # An op of a runtime's own, or one that ONNX no longer has.
                continue
            # Places of one row are in a fixed order, so equal rows have equal text.
            seen.setdefault(row, set()).add(index)
    lines = []
    for (op, span, types), at in seen.items():
        first = None
        for index in range(len(releases) + 1):
            if index in at and first is None:
                first = index
            elif index not in at and first is not None:
                last = "" if index == len(releases) else releases[index - 1]
                lines.append((op, span, releases[first], f"{op} {span} {releases[first]}-{last} {types}".strip()))
                first = None
    lines.sort(key=lambda line: (line[0], [int(n) for n in re.findall(r"\d+", line[1])], line[3]))
    print("\n".join(line[-1] for line in lines))


if __name__ == "__main__":
    main()
