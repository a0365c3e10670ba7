// README.md and ARCHITECTURE.md: what they show and name is there.

import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { test } from "node:test";

const root = new URL("../../", import.meta.url);
const read = (path) => readFileSync(new URL(path, root), "utf8");

test("the README shows the example echo as it is", () => {
  const example = read("crates/server/examples/echo.rs");
  assert.ok(
    read("README.md").includes(`\`\`\`rust\n${example}\`\`\`\n`),
    "copy the example into README.md anew",
  );
});

/** The paths that a page names: in backticks, below one of our folders; and what it links to, other sites aside. */
const named = (text) => {
  const quoted = [...text.matchAll(/`((?:crates|deploy|docs|scripts|tests|web)\/[^\s`*<>]*)`/g)];
  const linked = [...text.matchAll(/\]\(([^):]+)\)/g)];
  return [...quoted, ...linked].map(([, path]) => path);
};

for (const page of ["README.md", "ARCHITECTURE.md"])
  test(`${page} names only files that exist`, () => {
    const paths = named(read(page));
    assert.notEqual(paths.length, 0);
    assert.deepEqual(
      paths.filter((path) => !existsSync(new URL(path, root))),
      [],
    );
  });
