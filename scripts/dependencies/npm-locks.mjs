// npm-locks.mjs FOLDER...: checks each FOLDER/package-lock.json. Every package must
// - have a strong digest, by which npm knows what it installs;
// - name no place that it comes from: then it comes from the registry that whoever installs has chosen, and from nowhere else
//   (`omit-lockfile-registry-resolved` in .npmrc keeps it so; what comes from git or a file always names its place);
// - have a licence that is allowed for what it is used for.

import { readFileSync } from "node:fs";
import path from "node:path";

/** For all that ships or runs. */
const PERMISSIVE = ["0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BlueOak-1.0.0", "ISC", "MIT"];

/** For tools of development, which are not given to anybody: also those that ask for something when one passes them on. */
const FOR_DEVELOPMENT = [...PERMISSIVE, "CC-BY-4.0", "MPL-2.0"];

/** Packages that do not name their licence where npm looks for it, and what their LICENSE file says. */
const READ_BY_HAND = new Map([["xmlhttprequest-ssl@2.1.2", "MIT"]]);

/** What is wrong with a package of a lock file, in words. */
function* faults(name, { version, integrity, resolved, license, dev }) {
  if (!/^sha(512|384)-/.test(integrity ?? "")) yield "has no digest by SHA-512";
  if (resolved !== undefined) yield `is bound to come from ${resolved}`;
  const known = license ?? READ_BY_HAND.get(`${name}@${version}`);
  const allowed = dev ? FOR_DEVELOPMENT : PERMISSIVE;
  if (known === undefined) yield "names no licence: read it, and add it to READ_BY_HAND";
  else if (!allowed.includes(known)) {
    yield `has the licence ${known}, which is not allowed${dev ? "" : " for what ships or runs"}`;
  }
}

function check(file) {
  const { lockfileVersion, packages } = JSON.parse(readFileSync(file, "utf8"));
  if (lockfileVersion !== 3)
    return [`${file}: lockfileVersion is ${lockfileVersion}, not 3: write it with npm 7 or newer`];
  // The package itself has no name.
  const used = Object.entries(packages).filter(([place]) => place !== "");
  if (used.length === 0) return [`${file}: names no packages`];
  console.log(`${file}: ${used.length} packages`);
  return used.flatMap(([place, about]) => {
    const name = about.name ?? place.split("node_modules/").at(-1);
    return [...faults(name, about)].map((fault) => `${file}: ${name}@${about.version} ${fault}`);
  });
}

const folders = process.argv.slice(2);
if (folders.length === 0) {
  console.error("npm-locks.mjs: name the folders whose package-lock.json is to be checked");
  process.exit(2);
}
const found = folders.flatMap((folder) => check(path.join(folder, "package-lock.json")));
for (const fault of found) console.error(fault);
if (found.length > 0) process.exit(1);
