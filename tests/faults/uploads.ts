import assert from "node:assert/strict";
import { Companion } from "../harness/companion.ts";

/** How many clients share a load. More bytes of theirs can be on the way to one node than a link takes, which is 4 MiB. */
const CLIENTS = 40;
const BODY = 900_000;

/** The first answer waits until each client has uploaded once. */
const UNDER_WAY_WITHIN = 30_000;
/** A paused node keeps its clients waiting, and at the end each of them asks something more. */
const DONE_WITHIN = 60_000;

/** How uploads went, as `uploading.ts` tells it. */
export interface Uploaded {
  bytes: number;
  /** How many were answered with each status. */
  statuses: Record<string, number>;
  /** Sessions that were opened anew since theirs had ended. */
  reopened: number;
  /** How many clients got an answer to what they asked in the end. */
  served: number;
  /** Milliseconds that the slowest upload took. */
  slowest: number;
}

/** Clients that upload at a rate, in a process of their own, so that those who chat need not wait for them. */
export class Uploads {
  readonly #program: Companion;

  private constructor(program: Companion) {
    this.#program = program;
  }

  /** Starts so many bytes a second, spread over these nodes. */
  static async begin(rate: number, urls: readonly string[]): Promise<Uploads> {
    const args = [CLIENTS, BODY, rate].map(String);
    const program = new Companion(new URL("./uploading.ts", import.meta.url), [...args, ...urls]);
    const uploads = new Uploads(program);
    try {
      await program.ask(UNDER_WAY_WITHIN);
    } catch (error) {
      await uploads.abandon();
      throw error;
    }
    return uploads;
  }

  /**
   * Waits for the answers that are still to come. Every upload must be taken, but those of who was kept waiting for longer than the
   * heartbeat allows: 400, and a new session. Every client must be served in the end.
   */
  async end(): Promise<Uploaded> {
    const uploaded = await this.#program.ask<Uploaded>(DONE_WITHIN);
    await this.#program.end();
    const odd = Object.keys(uploaded.statuses).filter((status) => status !== "200" && status !== "400");
    assert.deepEqual(odd, [], `uploads are taken: ${JSON.stringify(uploaded)}`);
    assert.equal(uploaded.served, CLIENTS, `all who uploaded are served: ${JSON.stringify(uploaded)}`);
    return uploaded;
  }

  async abandon(): Promise<void> {
    await this.#program.kill();
  }
}
