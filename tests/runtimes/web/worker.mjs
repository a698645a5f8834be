// Runs models in onnxruntime-web under Node.js, in WebAssembly: `node worker.mjs PACKAGE`, where PACKAGE is the path of the
// installed package's module. ../worker.py describes the protocol.

import fs from "node:fs";
import readline from "node:readline";
import { pathToFileURL } from "node:url";

// The runtime prints to stdout, which has the answers.
const say = (message) => fs.writeSync(1, `${JSON.stringify(message)}\n`);
console.log = console.info = console.debug = console.error;

const ort = await import(pathToFileURL(process.argv[2]));
ort.env.wasm.numThreads = 1;
ort.env.logLevel = "fatal";

const ARRAYS = {
  bool: Uint8Array, int8: Int8Array, uint8: Uint8Array, int16: Int16Array, uint16: Uint16Array, int32: Int32Array,
  uint32: Uint32Array, int64: BigInt64Array, uint64: BigUint64Array, float16: Uint16Array, float32: Float32Array,
  float64: Float64Array,
};

function read(data, given) {
  const Type = ARRAYS[given.type];
  const count = given.shape.reduce((product, size) => product * size, 1);
  const bytes = data.slice(given.offset, given.offset + count * Type.BYTES_PER_ELEMENT);
  return new ort.Tensor(given.type, new Type(bytes), given.shape);
}

function write(path, results) {
  let offset = 0;
  const parts = [];
  const described = results.map((result) => {
    const bytes = Buffer.from(result.data.buffer, result.data.byteOffset, result.data.byteLength);
    const entry = { type: result.type, shape: result.dims, offset };
    parts.push(bytes);
    offset += bytes.length;
    return entry;
  });
  fs.writeFileSync(path, Buffer.concat(parts));
  return described;
}

async function answer(job) {
  let stage = "load";
  let session;
  try {
    const options = { executionProviders: ["wasm"], logSeverityLevel: 4 };
    session = await ort.InferenceSession.create(new Uint8Array(fs.readFileSync(job.model)), options);
    say({ loaded: true });
    stage = "run";
    const file = fs.readFileSync(job.inputs);
    const data = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
    for (const [number, inputs] of job.runs.entries()) {
      const feeds = Object.fromEntries(inputs.map((given) => [given.name, read(data, given)]));
      const results = await session.run(feeds);
      say({ results: write(`${job.results}.${number}`, job.outputs.map((name) => results[name])) });
    }
  } catch (error) {
    say({ failed: stage, message: String(error?.message ?? error).slice(0, 4000) });
  } finally {
    await session?.release();
  }
}

say({ ready: true });
for await (const line of readline.createInterface({ input: process.stdin })) {
  await answer(JSON.parse(line));
}
