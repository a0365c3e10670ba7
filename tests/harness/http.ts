import http, { type IncomingHttpHeaders } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

export interface Answer {
  status: number;
  headers: IncomingHttpHeaders;
  body: Buffer;
  /** The body as UTF-8. */
  text: string;
}

export interface Request {
  method?: string;
  headers?: Record<string, string>;
  body?: string | Uint8Array;
  /** Without an agent each request has a connection of its own. */
  agent?: http.Agent;
  /** Aborting drops the connection, as a browser does that cancels a request. */
  signal?: AbortSignal | undefined;
}

/** One HTTP exchange, with nothing added, retried or followed: what a test sends is what the server sees. */
export function send(
  url: string,
  { method = "GET", headers = {}, body, agent, signal }: Request = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers, agent: agent ?? false, signal }, (response) => {
      const chunks: Buffer[] = [];
      response.on("data", (chunk: Buffer) => chunks.push(chunk));
      response.once("error", reject);
      response.once("end", () => {
        const whole = Buffer.concat(chunks);
        const status = response.statusCode ?? 0;
        resolve({ status, headers: response.headers, body: whole, text: whole.toString("utf8") });
      });
    });
    request.once("error", reject);
    request.end(body);
  });
}

/** A POST whose body is sent bit by bit, so that one sees how much of it the server takes. */
export function startUpload(url: string, headers: Record<string, string>) {
  const request = http.request(url, {
    method: "POST",
    headers: { "content-type": "text/plain", ...headers },
    agent: false,
  });
  request.flushHeaders();
  const closed = new Promise<void>((resolve) => {
    request.once("close", resolve);
  });
  /** The answer's, or what became of the connection before there was one. */
  const status = new Promise<number | string | undefined>((resolve) => {
    request.once("response", (response) => {
      resolve(response.statusCode);
      response.resume();
    });
    // The connection breaks when the server cuts it, which is what is tested.
    request.on("error", (error) => {
      resolve(error.message);
    });
    request.once("close", () => {
      resolve("closed");
    });
  });
  /** Writes until `limit` bytes are gone or the connection is; gives how many were. */
  const pour = async (limit: number): Promise<number> => {
    const chunk = Buffer.alloc(64 * 1024, "x");
    let sent = 0;
    while (sent < limit && !request.destroyed) {
      if (!request.write(chunk))
        await Promise.race([closed, new Promise((resolve) => request.once("drain", resolve))]);
      // The system may take each chunk at once, and who never looks up from sending misses the answer, whatever the server does.
      await sleep(1);
      sent += chunk.length;
    }
    return sent;
  };
  return {
    status,
    closed,
    pour,
    write: (text: string) => request.write(text),
    destroy: () => request.destroy(),
  };
}
