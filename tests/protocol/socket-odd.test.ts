/** Clients that are odd, but honest: what they say is served as the reference serves it, or ends nothing else. */
import assert from "node:assert/strict";
import { afterEach, describe, test } from "node:test";
import { ask, client, closeClients, connect, connected, heard } from "../harness/client.ts";
import { EngineSocket, PollingSession, SEPARATOR } from "../harness/engine.ts";
import { connectNamespace, connectRaw } from "../harness/socketio.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import type { RawWebSocket } from "../harness/websocket.ts";

const HALF_AN_EMOJI = "\ud83d";

const placeholder = (index: number): string => `{"_placeholder":true,"num":${index}}`;
const nested = (levels: number): string => "[".repeat(levels) + "]".repeat(levels);

/** The main namespace still serves this client. */
async function assertServed(socket: RawWebSocket): Promise<void> {
  socket.send('42["message","still here"]');
  assert.equal(await socket.next(), '42["message-back","still here"]');
}

onEveryTarget("Odd Socket.IO clients", {}, (server) => {
  afterEach(closeClients);

  describe("have served", () => {
    const echoed: Record<string, string> = {
      "half an emoji among the arguments": `"\\ud83d",{"\\ude00":["\\ud83d!"]}`,
      "arguments that nest 200 levels": nested(200),
      "a number that nobody can hold": "123456789012345678901234567890",
    };
    for (const [title, args] of Object.entries(echoed)) {
      test(title, async () => {
        using socket = await connectRaw(server.socketio);
        socket.send(`42["message",${args}]`);
        const back = String(await socket.next());
        const wanted = JSON.parse(`["message-back",${args}]`) as unknown;
        assert.deepEqual(JSON.parse(back.slice(2)), wanted);
      });
    }

    test("a room whose name is half an emoji", async () => {
      const [alice, bob] = await Promise.all([
        connected(server.url, "websocket"),
        connected(server.url, "polling"),
      ]);
      await ask(alice, "join", HALF_AN_EMOJI);
      const arrival = heard(alice, "message");
      await ask(bob, "publish", HALF_AN_EMOJI, `hello ${HALF_AN_EMOJI}`);
      assert.deepEqual(await arrival, [HALF_AN_EMOJI, `hello ${HALF_AN_EMOJI}`]);
    });

    test("a room whose name is a number, by its text, too", async () => {
      const alice = await connected(server.url, "websocket");
      await ask(alice, "join", 5);
      for (const room of [5, "5"]) {
        const arrival = heard(alice, "message");
        await ask(alice, "publish", room, "hello");
        assert.deepEqual(await arrival, [room, "hello"]);
      }
      await ask(alice, "leave", "5");
    });

    const attached: Record<string, { payload: string; received: unknown }> = {
      "an attachment that two placeholders name": {
        payload: `[${placeholder(0)},${placeholder(0)}]`,
        received: [Buffer.from([7]), Buffer.from([7])],
      },
      "an attachment that no placeholder names": { payload: '"text"', received: "text" },
    };
    for (const [title, { payload, received }] of Object.entries(attached)) {
      test(title, async () => {
        const alice = await connected(server.url, "websocket");
        await ask(alice, "join", "tea");
        using socket = await connectRaw(server.socketio);
        const arrival = heard(alice, "message");
        socket.send(`451-7["publish","tea",${payload}]`);
        socket.send(Buffer.from([7]));
        assert.deepEqual(await arrival, ["tea", received]);
        assert.equal(await socket.next(), "437[]");
      });
    }

    test("an ack id of 20 digits", async () => {
      using socket = await connectRaw(server.socketio);
      socket.send('4210000000000000000000["message-with-ack",1]');
      assert.equal(await socket.next(), "4310000000000000000000[1]");
    });

    test("an ack without arguments", async () => {
      using socket = await connectRaw(server.socketio);
      socket.send('427["ask"]');
      const [question] = await socket.take(2);
      const [, id] = /^451-(\d+)\[/.exec(String(question)) ?? [];
      socket.send(`43${String(id)}`);
      assert.equal(await socket.next(), "437[]");
    });

    test("a CONNECT with an id, and a DISCONNECT with one", async () => {
      using socket = await connectRaw(server.socketio);
      socket.send("40/custom,12");
      const [accepted, auth] = await socket.take(2);
      assert.match(String(accepted), /^40\/custom,\{"sid":/);
      assert.equal(auth, '42/custom,["auth",{}]');
      socket.send("41/custom,3");
      await assertServed(socket);
      await connectNamespace(socket, "/custom");
      await assertServed(socket);
    });
  });

  describe("are not closed upon", () => {
    const ignored: Record<string, string> = {
      "an event whose name is half an emoji": '42["\\ud83d",1]',
      "an event whose name is a fraction": "42[1.5]",
      "an event whose name is a long number": "42[-12345678901234567890e3,1]",
      "an event without a payload": "42",
      "an event without a payload, in a named namespace": "42/,",
      "an event without a payload, but for a space": "42 ",
      "an ack that does not say what it answers": "43[1]",
      "an ack without a payload that does not say what it answers": "43",
      "an ack of a number without end": `43${"9".repeat(400)}[1]`,
    };
    for (const [title, frame] of Object.entries(ignored)) {
      test(title, async () => {
        using socket = await connectRaw(server.socketio);
        socket.send(frame);
        await assertServed(socket);
      });
    }

    for (const [title, name] of [
      ["a namespace of 600 characters with a token", `/${"n".repeat(600)}?token=a.b-c_d=`],
      ["a namespace with a control character", "/a\u0001b"],
      ["a namespace with a line break", "/a\nb"],
    ] as const) {
      test(`CONNECT to ${title}, which is refused`, async () => {
        using socket = await connectRaw(server.socketio);
        for (const payload of ["", '{"token":"123"}']) {
          socket.send(`40${name},${payload}`);
          assert.equal(await socket.next(), `44${name},{"message":"Invalid namespace"}`);
        }
        await assertServed(socket);
        await connectNamespace(socket, "/custom");
      });
    }
  });

  test("an event without a payload that has an attachment is not closed upon", async () => {
    using socket = await connectRaw(server.socketio);
    socket.send("451-");
    socket.send(Buffer.from([7]));
    await assertServed(socket);
  });

  describe("are told what is wrong:", () => {
    test("an event without a payload that wants an answer", unlikeReference("it is silent"), async () => {
      using socket = await connectRaw(server.socketio);
      socket.send("427");
      assert.match(String(await socket.next()), /^437\[\{"error":"an event without a name/);
      await assertServed(socket);
    });

    test(
      "arguments nested beyond the bound",
      unlikeReference("it has no bound, and its process dies of more"),
      async () => {
        using socket = await connectRaw(server.socketio);
        for (const levels of [5_000, 200_000]) {
          socket.send(`42["message",${nested(levels)}]`);
          socket.send(`427["message-with-ack",${nested(levels)}]`);
          assert.equal(await socket.next(), '437[{"error":"JSON nested deeper than 2000 levels"}]');
        }
        socket.send(`40/custom,${'{"a":'.repeat(5_000)}1${"}".repeat(5_000)}`);
        assert.equal(await socket.next(), '44/custom,{"message":"JSON nested deeper than 2000 levels"}');
        await assertServed(socket);
      },
    );

    test("arguments that a handler cannot read", unlikeReference("anything may name a room"), async () => {
      const alice = await connected(server.url, "websocket");
      for (const room of [{ not: "a name" }, null, [], true]) {
        for (const event of ["join", "leave", "publish"]) {
          const answer = (await ask(alice, event, room)) as { error?: string };
          assert.match(answer.error ?? "", /^unexpected arguments: /, `${event} ${JSON.stringify(room)}`);
        }
      }
      assert.deepEqual(await ask(alice, "echo", "still here"), "still here");
    });
  });

  // Pages do so that are built up twice, as React's StrictMode has them. The reference closes the connection.
  describe("may change their mind:", () => {
    const strict = unlikeReference("it closes the connection");

    test("connect, disconnect, connect in one tick", strict, async () => {
      for (const transport of ["websocket", "polling"] as const) {
        const main = await connected(server.url, transport);
        const custom = main.io.socket("/custom");
        // If the answer to the first crosses the second it comes twice, and is the same.
        const ids = new Set<string | undefined>();
        custom.on("connect", () => ids.add(custom.id));
        const back = new Promise<void>((resolve) => custom.once("connect", resolve));
        custom.connect();
        custom.disconnect();
        custom.connect();
        await back;
        assert.equal(await ask(custom, "echo", "custom"), "custom");
        assert.equal(await ask(main, "echo", "main"), "main");
        assert.equal(ids.size, 1);
        assert.ok(main.connected);
      }
    });

    test("CONNECT twice, and both are answered by one", strict, async () => {
      using session = await PollingSession.open(server.socketio);
      await session.push(["40", "40", "40/custom,", "41/custom,", "40/custom,"].join(SEPARATOR));
      const packets = await session.take(4);
      assert.deepEqual(packets.map((packet) => packet.replace(/\{"sid":.*/, "")).sort(), [
        "40",
        "40/custom,",
        '42/custom,["auth",{}]',
        '42["auth",{}]',
      ]);
      await session.push('42/custom,["message","next"]');
      assert.deepEqual(await session.take(1), ['42/custom,["message-back","next"]']);
    });

    test("CONNECT again after the answer, and get it again", strict, async () => {
      using socket = await EngineSocket.start(server.socketio);
      const sid = await connectNamespace(socket, "/");
      socket.send("40");
      assert.equal(await socket.next(), `40{"sid":"${sid}"}`);
      await assertServed(socket);
    });

    test("CONNECT again as somebody else, and be somebody else", strict, async () => {
      using socket = await connectRaw(server.socketio);
      const sid = await connectNamespace(socket, "/custom");
      socket.send('42/custom,0["join","tea"]');
      assert.equal(await socket.next(), "43/custom,0[]");
      socket.send('40/custom,{"token":2}');
      const [accepted, auth] = await socket.take(2);
      assert.match(String(accepted), /^40\/custom,\{"sid":/);
      assert.doesNotMatch(String(accepted), new RegExp(sid));
      assert.equal(auth, '42/custom,["auth",{"token":2}]');
      socket.send('42/custom,1["publish","tea","for the other"]');
      assert.equal(await socket.next(), "43/custom,1[]", "it is not in the other's room");
      await assertServed(socket);
    });

    test("leave before the answer", strict, async () => {
      using session = await PollingSession.open(server.socketio);
      await session.push(["40", "40/custom,", "41/custom,"].join(SEPARATOR));
      const packets = await session.take(2);
      assert.match(packets[0] ?? "", /^40\{/);
      await session.push('42["message","main"]');
      assert.deepEqual(await session.take(1), ['42["message-back","main"]']);
    });

    test("a client that is refused may do so, too", strict, async () => {
      const main = await connected(server.url, "websocket");
      const nowhere = main.io.socket("/nowhere");
      const refused = new Promise<Error>((resolve) => nowhere.once("connect_error", resolve));
      nowhere.connect();
      nowhere.disconnect();
      nowhere.connect();
      assert.equal((await refused).message, "Invalid namespace");
      assert.equal(await ask(main, "echo", "main"), "main");
    });
  });

  test("a refused namespace with a query leaves the stock client's others alone", async () => {
    const main = await connected(server.url, "websocket");
    const odd = main.io.socket(`/${"x".repeat(600)}?token=1`);
    await assert.rejects(connect(odd), { message: "Invalid namespace" });
    assert.equal(await ask(main, "echo", 1), 1);
    const alone = client(`${server.url}/${"y".repeat(300)}`, "polling");
    await assert.rejects(connect(alone), { message: "Invalid namespace" });
  });
});
