import { afterEach, type TestContext } from "node:test";

export interface Evidence {
  title: string;
  lines: readonly string[];
}

const sources: (() => Evidence[])[] = [];

/** What to print when a test fails. */
export function registerForensics(source: () => Evidence[]): void {
  sources.push(source);
}

// `passed` exists since Node.js 20.12, but not yet in the types.
afterEach((context) => {
  const { passed, name } = context as TestContext & { passed: boolean };
  if (passed) return;
  for (const { title, lines } of sources.flatMap((source) => source())) {
    if (lines.length === 0) continue;
    console.error(`\n--- "${name}" failed; last lines of ${title}`);
    for (const line of lines) console.error(`  ${line}`);
  }
});
