// A small server of dist, with the headers of a strict host.

import { createReadStream, readFileSync, statSync } from "node:fs";
import { createServer } from "node:http";
import { extname, join, normalize } from "node:path";
import { fileURLToPath } from "node:url";

export const DIST = fileURLToPath(new URL("../../dist/", import.meta.url));

const TYPES = {
  ".html": "text/html; charset=utf-8",
  ".js": "text/javascript",
  ".css": "text/css",
  ".svg": "image/svg+xml",
  ".wasm": "application/wasm",
};

/** The policy of the page itself. The server sends it too, because a worker has the policy of its own response. */
function policy() {
  const found = /http-equiv="Content-Security-Policy" content="([^"]+)"/.exec(readFileSync(join(DIST, "index.html"), "utf8"));
  if (!found) throw new Error("index.html has no content security policy");
  return found[1];
}

/** Serves dist, and returns its address and a function that ends it. */
export async function serve() {
  const headers = { "Content-Security-Policy": policy(), "X-Content-Type-Options": "nosniff" };
  const server = createServer((request, response) => {
    const path = normalize(decodeURIComponent(new URL(request.url, "http://localhost").pathname));
    const file = join(DIST, path.endsWith("/") ? `${path}index.html` : path);
    if (!file.startsWith(DIST) || !statSync(file, { throwIfNoEntry: false })?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    response.writeHead(200, { ...headers, "Content-Type": TYPES[extname(file)] ?? "application/octet-stream" });
    createReadStream(file).pipe(response);
  });
  await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
  return { address: `http://127.0.0.1:${server.address().port}/`, close: () => new Promise((resolve) => server.close(resolve)) };
}
