/** The worker that runs the model in onnxruntime-web. It starts when Run is pressed, because the runtime is large. */

import { InferenceSession, Tensor, env } from "onnxruntime-web/wasm";
import { count, fromHalf, readArrays, readJson, type NamedArray, type Numbers } from "./arrays";
import { resolve } from "./dimensions";
import { normal, uniform } from "./random";
import type { Comparison, FromRunner, OutputSummary, RunReport, RunRequest, ToRunner } from "./run_types";

/** Runs whose median is shown. */
const ROUNDS = 10;
/** Numbers of an output that are shown. */
const SHOWN = 12;
/** Random integers are below this, so that they are valid indices of small tables. */
const HIGH = 4;
/** Bytes of random inputs; a wrong size could ask for more memory than there is. */
const LIMIT = 1 << 30;

const scope = self as unknown as {
  postMessage(message: FromRunner): void;
  onmessage: ((event: MessageEvent<ToRunner>) => void) | null;
};

// More threads need headers that not every server sends.
env.wasm.numThreads = 1;
env.logLevel = "error";

let last: { name: string; type: string; dims: number[]; values: NumberList }[] = [];

type NumberList = ArrayLike<number | bigint>;

function toHalf(value: number): number {
  const bits = new Uint32Array(Float32Array.of(value).buffer)[0] ?? 0;
  const sign = (bits >>> 16) & 0x8000;
  const exponent = (bits >>> 23) & 255;
  if (exponent === 255) return sign | 0x7c00 | (bits & 0x7fffff ? 0x200 : 0);
  const magnitude = Math.abs(value);
  if (magnitude >= 65520) return sign | 0x7c00;
  // The spacing of halves at this size; rounding to a multiple of it is exact in doubles.
  const power = Math.max(Math.floor(Math.log2(magnitude || 1)), -14);
  const steps = magnitude / 2 ** (power - 10);
  const floor = Math.floor(steps);
  const rest = steps - floor;
  const rounded = rest > 0.5 || (rest === 0.5 && floor % 2 === 1) ? floor + 1 : floor;
  return sign | (magnitude < 2 ** -14 ? rounded : ((power + 15) << 10) + (rounded - 1024));
}

function tensor(type: string, dims: number[], values: Numbers | number[]): Tensor {
  const numbers = (): number[] => Array.from(values as ArrayLike<number | bigint>, Number);
  const big = (): bigint[] => Array.from(values as ArrayLike<number | bigint>, (value) => BigInt.asIntN(64, BigInt(typeof value === "number" ? Math.trunc(value) : value)));
  switch (type) {
    case "float32":
      return new Tensor("float32", values instanceof Float32Array ? values : Float32Array.from(numbers()), dims);
    case "float64":
      return new Tensor("float64", Float64Array.from(numbers()), dims);
    case "float16":
      return new Tensor("float16", halves(numbers()) as Uint16Array, dims);
    case "int64":
      return new Tensor("int64", BigInt64Array.from(big()), dims);
    case "uint64":
      return new Tensor("uint64", BigUint64Array.from(big(), (value) => BigInt.asUintN(64, value)), dims);
    case "int32":
      return new Tensor("int32", Int32Array.from(numbers()), dims);
    case "uint32":
      return new Tensor("uint32", Uint32Array.from(numbers()), dims);
    case "int16":
      return new Tensor("int16", Int16Array.from(numbers()), dims);
    case "uint16":
      return new Tensor("uint16", Uint16Array.from(numbers()), dims);
    case "int8":
      return new Tensor("int8", Int8Array.from(numbers()), dims);
    case "uint8":
      return new Tensor("uint8", Uint8Array.from(numbers()), dims);
    case "bool":
      return new Tensor("bool", Uint8Array.from(numbers(), (value) => (value ? 1 : 0)), dims);
    default:
      throw new Error(`onnxruntime-web takes no input of the type ${type}.`);
  }
}

/** Halves in the array that the runtime takes: a Float16Array where there is one, else their bits. */
function halves(values: number[]): unknown {
  const made: unknown = Reflect.get(globalThis, "Float16Array");
  if (typeof made !== "function") return Uint16Array.from(values, toHalf);
  return (made as unknown as { from(values: number[]): unknown }).from(values);
}

function random(type: string, dims: number[], seed: number): Tensor {
  const size = count(dims);
  if (size * 8 > LIMIT) throw new Error(`An input of ${dims.join(" × ")} elements is too large for random numbers. Choose smaller sizes.`);
  if (type.startsWith("float")) {
    const next = normal(seed);
    return tensor(type, dims, Float32Array.from({ length: size }, next));
  }
  const next = uniform(seed);
  const high = type === "bool" ? 2 : HIGH;
  return tensor(type, dims, Float32Array.from({ length: size }, () => Math.floor(next() * high)));
}

/** The values of a tensor as numbers; halves may come as bits. */
function valuesOf(found: Tensor): NumberList {
  if (found.type === "float16" && found.data instanceof Uint16Array) return Float32Array.from(found.data, fromHalf);
  return found.data as unknown as NumberList;
}

function shown(value: number | bigint, type: string): string {
  if (type === "bool") return value ? "true" : "false";
  if (typeof value === "bigint" || Number.isInteger(value)) return String(value);
  return Number.isFinite(value) ? Number(value.toPrecision(6)).toString() : String(value);
}

function summary(name: string, type: string, dims: readonly number[], values: NumberList): OutputSummary {
  let [min, max, sum, odd] = [Infinity, -Infinity, 0, 0];
  for (let index = 0; index < values.length; index += 1) {
    const value = Number(values[index]);
    if (!Number.isFinite(value)) {
      odd += 1;
      continue;
    }
    if (value < min) min = value;
    if (value > max) max = value;
    sum += value;
  }
  const finite = values.length - odd;
  const first = Array.from({ length: Math.min(SHOWN, values.length) }, (_, index) => shown(values[index] ?? 0, type));
  const isKnown = finite > 0;
  return { name, type, dims: [...dims], first, min: isKnown ? min : null, max: isKnown ? max : null, mean: isKnown ? sum / finite : null, odd };
}

function compare(name: string, values: NumberList, dims: readonly number[], given: NamedArray): Comparison {
  if (dims.length !== given.dims.length || dims.some((size, axis) => size !== given.dims[axis])) {
    return { name, reason: `the file has ${given.dims.join(" × ") || "one number"}, and the model returned ${dims.join(" × ") || "one number"}`, largest: NaN, relative: NaN };
  }
  let [largest, scale] = [0, 0];
  for (let index = 0; index < values.length; index += 1) {
    const [a, b] = [Number(values[index]), Number(given.values[index])];
    // Equal infinities and two NaN agree.
    if (a === b || (Number.isNaN(a) && Number.isNaN(b))) {
      if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
      continue;
    }
    const difference = Math.abs(a - b);
    largest = Math.max(largest, Number.isNaN(difference) ? Infinity : difference);
    if (Number.isFinite(b)) scale = Math.max(scale, Math.abs(b));
  }
  return { name, reason: null, largest, relative: scale > 0 ? largest / scale : largest };
}

/** The array for an input or output: by its name, by `in.0`, or by numpy's `arr_0`. */
function find(arrays: NamedArray[], used: Set<NamedArray>, name: string, prefix: string, position: number, plain: boolean): NamedArray | undefined {
  const names = position < 0 ? [name] : [name, `${prefix}.${position}`, ...(plain ? [`arr_${position}`] : [])];
  const found = names.map((wanted) => arrays.find((array) => array.name === wanted)).find((array) => array !== undefined);
  if (found) used.add(found);
  return found;
}

async function given(request: RunRequest): Promise<NamedArray[]> {
  const arrays: NamedArray[] = [];
  for (const file of request.files) arrays.push(...(await readArrays(file.name, new Uint8Array(await file.data.arrayBuffer()))));
  if (request.json.trim()) arrays.push(...readJson(request.json, "The typed text"));
  return arrays;
}

async function run(id: number, request: RunRequest): Promise<RunReport> {
  const arrays = await given(request);
  scope.postMessage({ id, stage: "Loading the model into onnxruntime-web …" });
  const beforeLoad = performance.now();
  const session = await InferenceSession.create(new Uint8Array(await request.model.arrayBuffer()), { executionProviders: ["wasm"] });
  const load = performance.now() - beforeLoad;
  try {
    scope.postMessage({ id, stage: "Running the model …" });
    const used = new Set<NamedArray>();
    const feeds: Record<string, Tensor> = {};
    const inputs: RunReport["inputs"] = [];
    session.inputMetadata.forEach((input, index) => {
      if (!input.isTensor) throw new Error(`The input ${input.name} is not a tensor.`);
      const array = find(arrays, used, input.name, "in", request.positional.indexOf(input.name), true);
      // Each input has numbers of its own, which do not depend on the others' sizes.
      const dims = array?.dims ?? resolve(input.name, [...input.shape], request.sizes);
      const value = array ? tensor(input.type, dims, array.values) : random(input.type, dims, request.seed * 1009 + index);
      feeds[input.name] = value;
      inputs.push({ name: input.name, type: input.type, dims, from: array ? array.name : `random, seed ${request.seed}` });
    });
    const times: number[] = [];
    let results: InferenceSession.ReturnType = {};
    for (let round = 0; round <= ROUNDS; round += 1) {
      const before = performance.now();
      results = await session.run(feeds);
      times.push(performance.now() - before);
    }
    const [first = 0, ...rest] = times;
    rest.sort((a, b) => a - b);
    const median = ((rest[ROUNDS / 2 - 1] ?? 0) + (rest[ROUNDS / 2] ?? 0)) / 2;
    last = [];
    const outputs: OutputSummary[] = [];
    const comparisons: Comparison[] = [];
    session.outputNames.forEach((name, index) => {
      const found = results[name];
      if (!(found instanceof Tensor)) throw new Error(`The output ${name} is not a tensor.`);
      const values = valuesOf(found);
      last.push({ name, type: found.type, dims: [...found.dims], values });
      outputs.push(summary(name, found.type, found.dims, values));
      const expected = find(arrays, used, name, "out", index, false);
      if (expected) comparisons.push(compare(name, values, found.dims, expected));
    });
    const unused = arrays.filter((array) => !used.has(array)).map(({ name }) => name);
    return { version: env.versions.web ?? "", inputs, load, first, median, rounds: ROUNDS, outputs, comparisons, unused };
  } finally {
    await session.release();
  }
}

/** The outputs of the last run as JSON, in parts, because a large output makes a long text. */
function download(): Blob {
  const parts: string[] = ["{"];
  last.forEach(({ name, type, dims, values }, index) => {
    parts.push(`${index ? "," : ""}\n  ${JSON.stringify(name)}: {"type": "${type}", "dims": ${JSON.stringify(dims)}, "data": [`);
    for (let from = 0; from < values.length; from += 10_000) {
      const numbers = Array.from({ length: Math.min(10_000, values.length - from) }, (_, at) => {
        const value = values[from + at] ?? 0;
        if (type === "bool") return value ? "true" : "false";
        // JSON has no NaN and no infinities, so they are texts.
        return typeof value === "bigint" || Number.isFinite(value) ? String(value) : `"${value}"`;
      });
      parts.push(`${from ? ", " : ""}${numbers.join(", ")}`);
    }
    parts.push("]}");
  });
  parts.push("\n}\n");
  return new Blob(parts, { type: "application/json" });
}

scope.onmessage = async ({ data }) => {
  try {
    if ("run" in data) scope.postMessage({ id: data.id, report: await run(data.id, data.run) });
    else scope.postMessage({ id: data.id, file: download() });
  } catch (error) {
    scope.postMessage({ id: data.id, error: error instanceof Error ? error.message : String(error) });
  }
};
