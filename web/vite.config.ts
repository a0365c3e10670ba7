import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { gzip } from "node:zlib";
import { loadEnv, type Plugin } from "vite";
import { defineConfig } from "vitest/config";

/**
 * A second wall behind escaping: the built pages run nothing but their own files and talk to nobody but the node
 * that served them. Only in builds, because the development server injects inline scripts.
 */
function contentSecurityPolicy(): Plugin {
  const content =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; form-action 'none'";
  return {
    name: "content-security-policy",
    apply: "build",
    transformIndexHtml: () => [
      { tag: "meta", attrs: { "http-equiv": "Content-Security-Policy", content }, injectTo: "head-prepend" },
    ],
  };
}

const gzipped = promisify(gzip);

/** Adds to every text that is built the same in fewer bytes: nodes send that to browsers that take it. */
function compressed(): Plugin {
  return {
    name: "compressed",
    apply: "build",
    async writeBundle({ dir = "dist" }, bundle) {
      const texts = Object.keys(bundle).filter((name) => /\.(?:css|html|js)$/u.test(name));
      await Promise.all(
        texts.map(async (name) => {
          const path = join(dir, name);
          await writeFile(`${path}.gz`, await gzipped(await readFile(path), { level: 9 }));
        }),
      );
    },
  };
}

/** `npm run dev` hands requests to the server to the node that the environment variable HITHER_NODE names. */
export default defineConfig(({ mode }) => {
  const node = loadEnv(mode, ".", "HITHER_")["HITHER_NODE"] ?? "http://localhost:9001";
  return {
    plugins: [contentSecurityPolicy(), compressed()],
    build: {
      // The policy above forbids data: URLs.
      assetsInlineLimit: 0,
      // One entry per page that a node serves, and the service worker, which has its place and name for good.
      rolldownOptions: {
        input: { chat: "index.html", cluster: "cluster.html", sw: "src/worker/sw.ts" },
        output: { entryFileNames: ({ name }) => (name === "sw" ? "sw.js" : "assets/[name]-[hash].js") },
      },
    },
    server: {
      proxy: { "/socket.io": { target: node, ws: true }, "/api": node, "/status": node, "/health": node },
    },
    test: { include: ["src/**/*.test.{ts,tsx}"] },
  };
});
