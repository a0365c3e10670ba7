import http, { type IncomingHttpHeaders } from "node:http";

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
