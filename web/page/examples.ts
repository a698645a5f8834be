/** The examples that lie beside the page. */

export interface Example {
  name: string;
  paths: string[];
}

export const DEMO: Example = {
  name: "demo",
  paths: ["examples/demo/model.args.mlir", "examples/demo/weights.safetensors"],
};

export const FAULTY: Example = {
  name: "faulty example",
  paths: ["examples/faulty/faulty.mlir", "examples/faulty/faulty.py"],
};

export async function fetchExample(example: Example): Promise<File[]> {
  return Promise.all(
    example.paths.map(async (path) => {
      const response = await fetch(new URL(path, document.baseURI));
      if (!response.ok) throw new Error(`The server has no ${path}: status ${response.status}.`);
      return new File([await response.blob()], path.split("/").pop() ?? path);
    }),
  );
}
