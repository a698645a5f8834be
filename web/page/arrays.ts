/** Arrays from files: npy, npz and safetensors, and from typed JSON. */

export type Numbers =
  | Float32Array
  | Float64Array
  | Int8Array
  | Int16Array
  | Int32Array
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array;

export interface NamedArray {
  name: string;
  dims: number[];
  values: Numbers;
}

const BYTES: Record<string, number> = { f2: 2, bf16: 2, f4: 4, f8: 8, i1: 1, i2: 2, i4: 4, i8: 8, u1: 1, u2: 2, u4: 4, u8: 8, b1: 1 };

/** The names of safetensors for the same types. */
const SAFETENSORS: Record<string, string> = {
  F16: "f2", BF16: "bf16", F32: "f4", F64: "f8", I8: "i1", I16: "i2", I32: "i4", I64: "i8",
  U8: "u1", U16: "u2", U32: "u4", U64: "u8", BOOL: "b1",
};

/** A half-precision float. */
export function fromHalf(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 31) return fraction ? NaN : sign * Infinity;
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
}

/** Little-endian elements of a type; 16-bit floats become f32. */
function decode(kind: string, data: Uint8Array): Numbers {
  // The elements may begin at an odd address, so they are copied.
  const buffer = data.slice().buffer;
  switch (kind) {
    case "f2":
      return Float32Array.from(new Uint16Array(buffer), fromHalf);
    case "bf16":
      return new Float32Array(Uint32Array.from(new Uint16Array(buffer), (bits) => bits << 16).buffer);
    case "f4":
      return new Float32Array(buffer);
    case "f8":
      return new Float64Array(buffer);
    case "i1":
      return new Int8Array(buffer);
    case "i2":
      return new Int16Array(buffer);
    case "i4":
      return new Int32Array(buffer);
    case "i8":
      return new BigInt64Array(buffer);
    case "u2":
      return new Uint16Array(buffer);
    case "u4":
      return new Uint32Array(buffer);
    case "u8":
      return new BigUint64Array(buffer);
    default:
      return new Uint8Array(buffer);
  }
}

export function count(dims: number[]): number {
  return dims.reduce((product, size) => product * size, 1);
}

/** The first `length` bytes from an offset; a file that is too short is an error. */
function part(data: Uint8Array, from: number, length: number, name: string): Uint8Array {
  if (from < 0 || length < 0 || from + length > data.length) throw new Error(`${name} breaks off.`);
  return data.subarray(from, from + length);
}

export function readSafetensors(data: Uint8Array): NamedArray[] {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  if (data.length < 8) throw new Error("The safetensors file breaks off.");
  const length = Number(view.getBigUint64(0, true));
  const header = JSON.parse(new TextDecoder().decode(part(data, 8, length, "The safetensors file"))) as Record<
    string,
    { dtype: string; shape: number[]; data_offsets: [number, number] }
  >;
  return Object.entries(header).flatMap(([name, entry]) => {
    if (name === "__metadata__") return [];
    const kind = SAFETENSORS[entry.dtype];
    if (!kind) throw new Error(`${name} has the type ${entry.dtype}, which this page does not read.`);
    const [from, to] = entry.data_offsets;
    return [{ name, dims: entry.shape, values: decode(kind, part(data, 8 + length + from, to - from, name)) }];
  });
}

export function readNpy(name: string, data: Uint8Array): NamedArray {
  if (data[0] !== 0x93 || new TextDecoder().decode(data.subarray(1, 6)) !== "NUMPY") throw new Error(`${name} is not an npy array.`);
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  const isLong = (data[6] ?? 1) >= 2;
  const start = isLong ? 12 : 10;
  const length = isLong ? view.getUint32(8, true) : view.getUint16(8, true);
  const header = new TextDecoder().decode(part(data, start, length, name));
  const descr = /'descr':\s*'([<|=>])(\w+)'/.exec(header);
  const shape = /'shape':\s*\(([^)]*)\)/.exec(header);
  const kind = descr?.[2] ?? "";
  const size = BYTES[kind];
  if (!descr || !shape || size === undefined) throw new Error(`${name} has a type that this page does not read: ${header.trim()}`);
  if (descr[1] === ">" && size > 1) throw new Error(`${name} is big-endian. Save it with .astype("<${kind}").`);
  const dims = (shape[1] ?? "").split(",").map((text) => text.trim()).filter(Boolean).map(Number);
  const values = decode(kind, part(data, start + length, count(dims) * size, name));
  if (/'fortran_order':\s*True/.test(header) && dims.length > 1) return { name, dims, values: toRows(values, dims) };
  return { name, dims, values };
}

/** Elements in which the last index moves fastest, from those in which the first does (Fortran's order). */
function toRows(values: Numbers, dims: number[]): Numbers {
  const rows = values.slice();
  const index = dims.map(() => 0);
  for (let at = 0; at < values.length; at += 1) {
    let to = 0;
    dims.forEach((size, axis) => (to = to * size + (index[axis] ?? 0)));
    // The two have the same type, which the compiler cannot see.
    (rows as { [at: number]: number | bigint })[to] = values[at] ?? 0;
    for (let axis = 0; axis < dims.length; axis += 1) {
      const next = (index[axis] ?? 0) + 1;
      index[axis] = next === dims[axis] ? 0 : next;
      if (next !== dims[axis]) break;
    }
  }
  return rows;
}

async function inflate(data: Uint8Array): Promise<Uint8Array> {
  const stream = new Blob([data.slice()]).stream().pipeThrough(new DecompressionStream("deflate-raw"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** The arrays of an npz file, which is a zip of npy files. */
export async function readNpz(data: Uint8Array): Promise<NamedArray[]> {
  const view = new DataView(data.buffer, data.byteOffset, data.byteLength);
  let end = data.length - 22;
  while (end >= 0 && view.getUint32(end, true) !== 0x06054b50) end -= 1;
  if (end < 0) throw new Error("The npz file breaks off: it has no directory.");
  const entries = view.getUint16(end + 10, true);
  let at = view.getUint32(end + 16, true);
  const arrays: NamedArray[] = [];
  for (let index = 0; index < entries; index += 1) {
    if (at + 46 > data.length || view.getUint32(at, true) !== 0x02014b50) throw new Error("The directory of the npz file is broken.");
    const method = view.getUint16(at + 10, true);
    const size = view.getUint32(at + 20, true);
    const [names, extra, comment] = [view.getUint16(at + 28, true), view.getUint16(at + 30, true), view.getUint16(at + 32, true)];
    const local = view.getUint32(at + 42, true);
    const name = new TextDecoder().decode(data.subarray(at + 46, at + 46 + names)).replace(/\.npy$/, "");
    if (size === 0xffffffff || local === 0xffffffff) throw new Error("The npz file is larger than 4 GiB. Save the inputs alone.");
    const start = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    const stored = part(data, start, size, name);
    if (method !== 0 && method !== 8) throw new Error(`${name} is compressed in a way that this page does not read.`);
    arrays.push(readNpy(name, method === 8 ? await inflate(stored) : stored));
    at += 46 + names + extra + comment;
  }
  return arrays;
}

export async function readArrays(name: string, data: Uint8Array): Promise<NamedArray[]> {
  const lower = name.toLowerCase();
  if (lower.endsWith(".safetensors")) return readSafetensors(data);
  if (lower.endsWith(".npz")) return readNpz(data);
  if (lower.endsWith(".npy")) return [readNpy(name.replace(/\.npy$/i, ""), data)];
  if (lower.endsWith(".json")) return readJson(new TextDecoder().decode(data), name);
  throw new Error(`${name} is not .npz, .npy, .safetensors or .json.`);
}

function flatten(value: unknown, name: string, depth: number, dims: number[], out: number[]): void {
  if (Array.isArray(value)) {
    if (dims[depth] === undefined) dims[depth] = value.length;
    if (dims[depth] !== value.length) throw new Error(`${name}: the lists of dimension ${depth} have different lengths.`);
    for (const item of value) flatten(item, name, depth + 1, dims, out);
    return;
  }
  if (depth !== dims.length) throw new Error(`${name}: numbers and lists are mixed.`);
  if (typeof value === "number") out.push(value);
  else if (typeof value === "boolean") out.push(value ? 1 : 0);
  else throw new Error(`${name}: ${JSON.stringify(value)} is not a number.`);
}

/** Arrays from JSON: an object of nested lists, or of `{"dims": [...], "data": [...]}`. Errors begin with `source`. */
export function readJson(text: string, source: string): NamedArray[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new Error(`${source} is not JSON: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new Error(`${source} must be a JSON object, such as {"x": [[1, 2]]}.`);
  }
  return Object.entries(value).map(([name, item]: [string, unknown]) => {
    const out: number[] = [];
    if (typeof item === "object" && item !== null && "dims" in item && "data" in item && Array.isArray(item.dims)) {
      const dims = item.dims.map(Number);
      const found: number[] = [];
      flatten(item.data, name, 0, found, out);
      if (count(dims) !== out.length) throw new Error(`${name}: the dimensions need ${count(dims)} numbers, and ${out.length} are there.`);
      return { name, dims, values: Float64Array.from(out) };
    }
    const dims: number[] = [];
    flatten(item, name, 0, dims, out);
    return { name, dims, values: Float64Array.from(out) };
  });
}
