import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Page } from "playwright-core";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

interface Violation {
  id: string;
  help: string;
  nodes: { html: string; failureSummary?: string }[];
}

/** Checks what the page shows now by all rules of axe; fails with what they found. */
export async function isAccessible(page: Page, what: string): Promise<void> {
  // Colours are judged as they are, not on their way from others.
  await page.emulateMedia({ reducedMotion: "reduce" });
  await page.evaluate(AXE);
  const violations = await page.evaluate<Violation[]>("axe.run().then(({ violations }) => violations)");
  const found = violations.map(
    ({ id, help, nodes }) =>
      `${id}: ${help}\n${nodes.map(({ html, failureSummary = "" }) => `  ${html.slice(0, 200)}\n  ${failureSummary}`).join("\n")}`,
  );
  assert.deepEqual(found, [], `axe finds fault with ${what}`);
}
