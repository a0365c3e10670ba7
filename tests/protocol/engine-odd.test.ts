/** Clients that are odd, but honest, below Socket.IO: in addresses, in packets without meaning, in JSONP. */
import assert from "node:assert/strict";
import net from "node:net";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { engineUrl, EngineSocket, parseHandshake, PollingSession, SEPARATOR } from "../harness/engine.ts";
import { send, startUpload } from "../harness/http.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { DEFAULT_DEADLINE_MS, hangs, within } from "../harness/wait.ts";
import { assertAlive, assertAliveOn, TRANSPORT_UNKNOWN } from "./assertions.ts";

onEveryTarget("Odd Engine.IO clients", {}, (server) => {
  describe("may ask for any path below the server's:", () => {
    for (const below of ["/", "/more", "more/and/more/", "/socket.io.js"]) {
      test(JSON.stringify(below), async () => {
        const query = "EIO=4&transport=polling";
        const answer = await send(`${server.engine}${below}?${query}`);
        assert.equal(answer.status, 200);
        const { sid } = parseHandshake(answer.text);
        const session = `${server.engine}${below}?${query}&sid=${sid}`;
        assert.equal((await send(session, { method: "POST", body: "4hello" })).text, "ok");
        assert.equal((await send(session)).text, "4hello");
        using socket = await EngineSocket.start(`${server.engine}${below}`);
        await assertAliveOn(socket);
      });
    }
  });

  describe("may leave unescaped in a query:", () => {
    for (const characters of ["{", '"', "|", "<", ">", '{"a":["b|c<d>"]}', "^`\\"]) {
      test(characters, async () => {
        const path = `/engine.io/?EIO=4&token=${characters}&transport=`;
        const answer = await raw(server.url, `GET ${path}polling HTTP/1.1`);
        assert.match(answer, /^HTTP\/1.1 200 /);
        assert.match(answer, /\r\n\r\n0\{"sid":/);
        const upgraded = await raw(
          server.url,
          `GET ${path}websocket HTTP/1.1`,
          "Upgrade: websocket",
          "Sec-WebSocket-Version: 13",
          "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
        );
        assert.match(upgraded, /^HTTP\/1.1 101 /);
      });
    }

    test("anything on every request of a connection", async () => {
      const odd = (session: string) => `/engine.io/?EIO=4&transport=polling&a={"b"|<c>}${session}`;
      const request = (line: string, body = "") =>
        `${line} HTTP/1.1\r\nHost: x\r\nX-Quoted: "<>"\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
      const connection = await Raw.to(server.url);
      try {
        connection.write(request(`GET ${odd("")}`));
        const [, sid] = (await connection.until(/"sid":"([^"]+)"[^}]*\}/)) ?? [];
        for (let round = 0; round < 3; round += 1) {
          connection.write(request(`POST ${odd(`&sid=${String(sid)}`)}`, `4"<${round}>"`));
          await connection.until(/\r\n\r\nok$/);
          connection.write(request(`GET ${odd(`&sid=${String(sid)}`)}`));
          await connection.until(new RegExp(`\\r\\n\\r\\n4"<${round}>"$`));
        }
      } finally {
        connection.end();
      }
    });
  });

  // RFC 9112, 6.3: of two lengths one is wrong, and a proxy in front may have taken the other one. So what stands behind the body
  // must not be taken for a request, for it may be part of somebody's body.
  describe("who gives a body two lengths is served nothing behind it:", () => {
    const doubtful: Record<string, readonly string[]> = {
      "a length, and chunks": ["Content-Length: 6", "Transfer-Encoding: chunked"],
      "chunks, and a length": ["Transfer-Encoding: chunked", "Content-Length: 6"],
      "two lengths": ["Content-Length: 16", "Content-Length: 6"],
      "two lengths in one line": ["Content-Length: 16, 6"],
      "chunks that are not the last coding": ["Transfer-Encoding: chunked, identity"],
      "a coding that nobody knows": ["Transfer-Encoding: xchunked"],
      "a header with a space behind its name": ["Transfer-Encoding : chunked", "Content-Length: 16"],
    };
    for (const [title, lengths] of Object.entries(doubtful)) {
      test(title, async () => {
        using session = await PollingSession.open(server.engine);
        const { host, pathname, search } = new URL(session.url);
        const connection = await Raw.to(server.url);
        try {
          connection.write(
            [`POST ${pathname}${search} HTTP/1.1`, `Host: ${host}`, ...lengths, "", ""].join("\r\n") +
              "6\r\n4hello\r\n0\r\n\r\n" +
              `GET /engine.io/?EIO=4&transport=polling HTTP/1.1\r\nHost: ${host}\r\n\r\n`,
          );
          const answers = await connection.untilClosed();
          assert.equal(answers.split("HTTP/1.1 ").length - 1, 1, answers);
          assert.match(answers, /\r\nconnection: close\r\n/i);
          assert.doesNotMatch(answers, /"sid"/);
        } finally {
          connection.end();
        }
      });
    }
  });

  test("may send as many headers as proxies have added", async () => {
    const headers = Array.from({ length: 500 }, (_, number) => `X-Hop-${number}: proxy`);
    const answer = await raw(server.url, "GET /engine.io/?EIO=4&transport=polling HTTP/1.1", ...headers);
    assert.match(answer, /^HTTP\/1.1 200 /);
  });

  describe("may say what means nothing:", () => {
    for (const packet of ["5", "6", "0", "3", "0{}", "5probe", "3probe"]) {
      test(packet, async () => {
        using socket = await EngineSocket.start(server.engine);
        socket.send(packet);
        await assertAliveOn(socket);
        using session = await PollingSession.open(server.engine);
        assert.equal((await session.push(packet)).text, "ok");
        await assertAlive(session);
        using upgraded = await session.upgrade();
        upgraded.send(packet);
        await assertAliveOn(upgraded);
      });
    }
  });

  test("may write base64 in lines, or with the alphabet for addresses", async () => {
    using session = await PollingSession.open(server.engine);
    const packets = ["b-__-AQ==", "b-__-AQ", "b+//+\r\nAQ==\r\n"];
    assert.equal((await session.push(packets.join(SEPARATOR))).text, "ok");
    assert.deepEqual(await session.take(3), ["b+//+AQ==", "b+//+AQ==", "b+//+AQ=="]);
  });
});

onEveryTarget("JSONP polling", {}, (server) => {
  const url = (index: number, sid = "") =>
    `${engineUrl(server.engine, "polling", sid === "" ? undefined : sid)}&j=${index}`;

  /** What the script hands to the page's function. */
  function payload(script: string, index: number): string {
    const [, literal = ""] = new RegExp(`^___eio\\[${index}\\]\\((".*")\\);$`, "s").exec(script) ?? [];
    assert.doesNotMatch(literal, /[\u2028\u2029]/);
    return JSON.parse(literal) as string;
  }

  const form = (body: string) => ({
    method: "POST",
    headers: { "content-type": "application/x-www-form-urlencoded" },
    // As the client does: browsers change line breaks in forms.
    body: new URLSearchParams({ d: body.replaceAll("\\n", "\\\\n").replaceAll("\n", "\\n") }).toString(),
  });

  test("a session is opened, polled and pushed to", async () => {
    const opened = await send(url(3));
    assert.equal(opened.status, 200);
    assert.match(opened.headers["content-type"] ?? "", /^text\/(javascript|plain); charset=UTF-8$/i);
    assert.equal(opened.headers["cache-control"], "no-store");
    const { sid } = parseHandshake(payload(opened.text, 3));
    const poll = send(url(3, sid));
    assert.ok(await hangs(poll));
    const odd = '4"a" b+c%20\u2028\u2029 </script> €🦀 \\n \n \\';
    const pushed = await send(url(3, sid), form([odd, "bAQID"].join(SEPARATOR)));
    assert.deepEqual([pushed.status, pushed.text], [200, "ok"]);
    assert.match(pushed.headers["content-type"] ?? "", /^text\/html/);
    let packets = payload((await poll).text, 3).split(SEPARATOR);
    if (packets.length < 2) {
      packets = [...packets, ...payload((await send(url(3, sid))).text, 3).split(SEPARATOR)];
    }
    assert.deepEqual(packets, [odd, "bAQID"]);
  });

  test("nothing but digits gets into the script", async () => {
    const answer = await send(`${engineUrl(server.engine, "polling")}&j=1];alert(1);//`);
    assert.ok(answer.text.startsWith('___eio[11]("0{'), answer.text);
  });

  test("a form without the payload is nothing", async () => {
    const { sid } = parseHandshake(payload((await send(url(0))).text, 0));
    const { headers } = form("");
    assert.equal((await send(url(0, sid), { method: "POST", headers, body: "e=4hello" })).text, "ok");
    assert.equal((await send(url(0, sid), form("4hello"))).text, "ok");
    assert.equal(payload((await send(url(0, sid))).text, 0), "4hello");
  });
});

onEveryTarget("JSONP polling, turned off", { noJsonp: true }, (server) => {
  test("is a transport that there is not", unlikeReference("it cannot be turned off"), async () => {
    const answer = await send(`${engineUrl(server.engine, "polling")}&j=0`);
    assert.deepEqual([answer.status, answer.text], [400, TRANSPORT_UNKNOWN]);
    using session = await PollingSession.open(server.engine);
    await assertAlive(session);
  });
});

const INTERVAL = 300;
const TIMEOUT = 2_000;

onEveryTarget("A slow upload", { pingInterval: INTERVAL, pingTimeout: TIMEOUT }, (server) => {
  const patient = unlikeReference("it closes a client whose pong is queued behind an upload");
  const PIECES = 30;
  const PIECE = "x".repeat(2_000);
  /** Twice as long as a pong may take. */
  const PAUSE = (2 * TIMEOUT) / PIECES;

  test("over polling does not end in a ping timeout", patient, async () => {
    using session = await PollingSession.open(server.engine);
    const length = 1 + PIECES * PIECE.length;
    const upload = startUpload(session.url, { "content-length": String(length) });
    const answers = session.poll();
    upload.write("4");
    for (let piece = 0; piece < PIECES; piece += 1) {
      await sleep(PAUSE);
      upload.write(PIECE);
    }
    assert.equal(await within(DEFAULT_DEADLINE_MS, "the upload answered", upload.status), 200);
    assert.equal((await answers).text, "2");
    await session.push("3");
    assert.deepEqual(await session.take(1), [`4${PIECE.repeat(PIECES)}`]);
  });

  test("over WebSocket does not end in a ping timeout", patient, async () => {
    using socket = await EngineSocket.start(server.engine);
    socket.sendFragment("4", false);
    for (let piece = 0; piece < PIECES; piece += 1) {
      await sleep(PAUSE);
      socket.sendFragment(PIECE, piece === PIECES - 1);
    }
    assert.equal(await socket.next(), "2");
    socket.send("3");
    assert.equal(await socket.next(), `4${PIECE.repeat(PIECES)}`);
  });
});

/** A connection on which every byte is ours. */
class Raw {
  readonly #socket: net.Socket;
  #text = "";
  #changed: () => void = () => undefined;

  private constructor(socket: net.Socket) {
    this.#socket = socket;
    socket.on("data", (bytes: Buffer) => {
      this.#text += bytes.toString("utf8");
      this.#changed();
    });
    socket.on("close", () => {
      this.#changed();
    });
    // A connection that breaks is also closed.
    socket.on("error", () => undefined);
  }

  static async to(url: string): Promise<Raw> {
    const { hostname, port } = new URL(url);
    const socket = net.connect(Number(port), hostname);
    await new Promise((resolve, reject) => socket.once("connect", resolve).once("error", reject));
    return new Raw(socket);
  }

  write(text: string): void {
    this.#socket.write(text);
  }

  /** What matches of what has come since the last time. */
  async until(pattern: RegExp): Promise<RegExpExecArray | null> {
    const matches = async () => {
      for (;;) {
        const match = pattern.exec(this.#text);
        if (match || this.#socket.destroyed) return match;
        await new Promise<void>((resolve) => (this.#changed = resolve));
      }
    };
    const match = await within(DEFAULT_DEADLINE_MS, `${String(pattern)} in an answer`, matches());
    assert.ok(match, `closed after ${JSON.stringify(this.#text)}`);
    this.#text = "";
    return match;
  }

  /** All that has come, when the other side has closed. */
  async untilClosed(): Promise<string> {
    const closes = async () => {
      while (!this.#socket.destroyed) await new Promise<void>((resolve) => (this.#changed = resolve));
    };
    await within(DEFAULT_DEADLINE_MS, "the server closes the connection", closes());
    return this.#text;
  }

  end(): void {
    this.#socket.destroy();
  }
}

/** The answer to a request, up to where it can be told. */
async function raw(url: string, line: string, ...headers: string[]): Promise<string> {
  const connection = await Raw.to(url);
  try {
    const host = new URL(url).host;
    const isUpgrade = headers.some((header) => header.startsWith("Upgrade:"));
    const how = isUpgrade ? "Upgrade" : "close";
    connection.write([line, `Host: ${host}`, `Connection: ${how}`, ...headers, "", ""].join("\r\n"));
    const answer = await connection.until(isUpgrade ? /^[^]*\r\n\r\n/ : /^[^]*\r\n\r\n[^]+/);
    return answer?.[0] ?? "";
  } finally {
    connection.end();
  }
}
