import { existsSync } from "node:fs";
import path from "node:path";
import { repositoryRoot, suiteRoot } from "./artifacts.ts";
import { storeFile } from "./stores.ts";

/** An executable that takes the flags of `hither node`. */
export interface Program {
  command: string;
  leadingArgs: readonly string[];
}

/** True when the suite runs against the stock Node.js server, to prove that the tests ask for what the protocol says. */
export const againstReference = process.env["HITHER_TARGET"] === "reference";

/** The server for conformance tests: echoing Engine.IO at `/engine.io/`, Socket.IO at `/socket.io/`. */
export function testbed(): Program {
  if (againstReference) {
    return {
      command: process.execPath,
      leadingArgs: ["--import", "tsx", path.join(suiteRoot, "reference", "testbed.ts")],
    };
  }
  const command = executable(
    "HITHER_TESTBED",
    "examples/testbed",
    "cargo build --release -p hither --example testbed",
  );
  return { command, leadingArgs: [] };
}

/**
 * The chat server as people run it: `hither node`. All nodes started with this program share the store, an empty file unless
 * given. All clients of a test have one address, and say more than people do.
 */
export function hitherNode(store: string = storeFile(), flags: readonly string[] = []): Program {
  const limits = ["--sign-in-limit", "1000000", "--message-rate", "1000"];
  return {
    command: hitherBinary(),
    leadingArgs: ["node", "--store", store, "--guests", ...limits, ...flags],
  };
}

/** The program `hither`. */
export function hitherBinary(): string {
  return executable("HITHER_BINARY", "hither", "cargo build --release -p hither-node");
}

function executable(variable: string, name: string, howToBuild: string): string {
  const command = process.env[variable] ?? path.join(repositoryRoot, "target", "release", name);
  if (!existsSync(command)) throw new Error(`${command} is missing: run '${howToBuild}', or set ${variable}`);
  return command;
}
