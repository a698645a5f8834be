// Modules of the page that need no browser.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { deflateRawSync } from "node:zlib";

import { load } from "./support/module.mjs";

const fixture = (path) => new Uint8Array(readFileSync(new URL(`../../fixtures/${path}`, import.meta.url)));

test("the pieces of a picture make the picture again", async () => {
  const { cut } = await load("svg_pieces.ts");
  const node = (index) =>
    `<g class="node" data-node="${index}" tabindex="0" role="button" aria-label="Add a > b"><title>x</title><rect x="0.0" width="1.0" rx="5"/>` +
    `<text class="title" x="0.5">Add</text><text class="detail" x="0.5">${"n".repeat(90)}</text></g>`;
  const nodes = (from, to) => Array.from({ length: to - from }, (_, at) => node(from + at)).join("");
  const svg =
    `<svg class="graph" viewBox="0 0 1 1" width="1" height="1" role="group" aria-label="Graph of 400 nodes"><path class="edge" data-from="input 0" data-to="node 0" d="M0.0 0.0L1.0 1.0"/>` +
    `<g class="port input" data-port="input 0"><rect rx="20"/><text class="title">x</text><text class="detail">f32[2]</text></g>` +
    `<g class="module open" data-module="A" tabindex="0" role="button" aria-expanded="true" aria-label="A, 400 nodes"><rect rx="7"/><text class="title">A</text></g>` +
    `${nodes(0, 300)}<path class="edge" data-from="node 1" d="M0.0 0.0L1.0 1.0"/>${nodes(300, 400)}` +
    `<g class="module" data-module="A/C" tabindex="0" role="button" aria-expanded="false" aria-label="C, 2 nodes"><rect rx="7"/><text class="title">C</text><text class="detail">2 nodes</text></g></svg>`;
  const pieces = cut(svg);
  let made = "";
  const ends = [];
  for (const piece of pieces) {
    if ("markup" in piece) made += piece.markup;
    else if ("close" in piece) made += ends.pop();
    else {
      const at = piece.open.lastIndexOf("</");
      made += piece.open.slice(0, at);
      ends.push(piece.open.slice(at));
    }
  }
  assert.equal(made, svg);
  assert.ok(Math.max(...pieces.map((piece) => (piece.markup ?? "").length)) < 30_000);
});

test("npz, npz with deflate and safetensors hold the same arrays", async () => {
  const { readArrays } = await load("arrays.ts");
  const read = async (name) => {
    const arrays = await readArrays(name, fixture(`models/pytree/${name}`));
    return Object.fromEntries(arrays.map(({ name, dims, values }) => [name.replace(/^arr_/, ""), { dims, values: Array.from(values, Number) }]));
  };
  const safetensors = await read("weights.safetensors");
  assert.ok(Object.keys(safetensors).length > 1);
  for (const name of ["weights.npz", "weights.deflated.npz"]) {
    assert.deepEqual(await read(name), safetensors);
  }
});

test("npy arrays keep their types, and broken files are refused", async () => {
  const { readArrays, readNpy, readNpz, readJson, fromHalf } = await load("arrays.ts");
  const npy = (descr, dims, bytes, order = "False") => {
    const header = `{'descr': '${descr}', 'fortran_order': ${order}, 'shape': (${dims.join(", ")}${dims.length === 1 ? "," : ""}), }\n`;
    const head = Buffer.alloc(10);
    head.write("\x93NUMPY\x01\x00", "latin1");
    head.writeUInt16LE(header.length, 8);
    return new Uint8Array(Buffer.concat([head, Buffer.from(header), Buffer.from(bytes)]));
  };
  assert.deepEqual(readNpy("x", npy("<i8", [2], [1, 0, 0, 0, 0, 0, 0, 0, 255, 255, 255, 255, 255, 255, 255, 255])).values, BigInt64Array.of(1n, -1n));
  assert.deepEqual(readNpy("x", npy("<f2", [], [0, 0x3c])), { name: "x", dims: [], values: Float32Array.of(1) });
  assert.deepEqual(readNpy("x", npy("|b1", [2, 1], [1, 0])), { name: "x", dims: [2, 1], values: Uint8Array.of(1, 0) });
  // In Fortran order the first index moves fastest.
  assert.deepEqual(readNpy("x", npy("|u1", [2, 3], [1, 2, 3, 4, 5, 6], "True")).values, Uint8Array.of(1, 3, 5, 2, 4, 6));
  assert.throws(() => readNpy("x", npy("<f4", [2], [0, 0, 0, 0])), /breaks off/);
  assert.throws(() => readNpy("x", npy(">f4", [1], [0, 0, 0, 0])), /big-endian/);
  await assert.rejects(readNpz(new Uint8Array(deflateRawSync("no zip"))), /breaks off/);
  assert.equal(fromHalf(0xfc00), -Infinity);
  assert.equal(fromHalf(1), 2 ** -24);
  assert.deepEqual(readJson('{"x": [[1, 2], [3, 4]]}', "The typed text")[0].dims, [2, 2]);
  assert.throws(() => readJson('{"x": [[1, 2], [3]]}', "The typed text"), /different lengths/);
  assert.throws(() => readJson('{"x": {"dims": [3], "data": [1]}}', "The typed text"), /need 3 numbers/);
  await assert.rejects(readArrays("list.json", new TextEncoder().encode("[1]")), /^Error: list\.json must be a JSON object/);
});

test("sizes of dimensions come from names and expressions", async () => {
  const { resolve, sizeNames } = await load("dimensions.ts");
  assert.deepEqual(sizeNames([{ name: "x", dims: ["b", "2*b + t", "7", "?"] }]), ["b", "t", "x:3"]);
  assert.deepEqual(resolve("x", ["b", "2*b + t", 7, "floordiv(t, 2) - 1", "?"], { b: 3, t: 4, "x:4": 9 }), [3, 10, 7, 1, 9]);
});
