import { mkdirSync } from "node:fs";
import path from "node:path";
import { fileURLToPath } from "node:url";

/** The folder of the end-to-end suite. */
export const suiteRoot = path.resolve(path.dirname(fileURLToPath(import.meta.url)), "..");

/** The root of the repository. */
export const repositoryRoot = path.dirname(suiteRoot);

const testFile = path.relative(suiteRoot, process.argv[1] ?? "").replace(/(\.test)?\.ts$/, "");
const folder = path.join(suiteRoot, "artifacts", testFile);

/** Where this test file may leave something for a person to look at: logs, screenshots. */
export function artifactPath(name: string): string {
  mkdirSync(folder, { recursive: true });
  return path.join(folder, name);
}
