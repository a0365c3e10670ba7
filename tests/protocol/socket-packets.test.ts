import assert from "node:assert/strict";
import { test } from "node:test";
import { EngineSocket, PollingSession, SEPARATOR } from "../harness/engine.ts";
import { connectNamespace, connectRaw } from "../harness/socketio.ts";
import { againstReference } from "../harness/programs.ts";
import { onEveryTarget, unlikeReference } from "../harness/targets.ts";
import { hangs } from "../harness/wait.ts";
import type { Frame, RawWebSocket } from "../harness/websocket.ts";

const bytes = (...values: number[]): Buffer => Buffer.from(values);
const placeholder = (index: number | string): string => `{"_placeholder":true,"num":${index}}`;

interface Exchange {
  send: readonly Frame[];
  receive: readonly Frame[];
}

const exchanges: Record<string, Exchange> = {
  "an event": {
    send: ['42["message",1,"2",{"3":[true]}]'],
    receive: ['42["message-back",1,"2",{"3":[true]}]'],
  },
  "an event without arguments": { send: ['42["message"]'], receive: ['42["message-back"]'] },
  "an event with null, floats, nesting and text of all kinds": {
    send: ['42["message",null,-1.5,[[[]]],"€ 日本語 🦀 \\" \\\\ \\n"]'],
    receive: ['42["message-back",null,-1.5,[[[]]],"€ 日本語 🦀 \\" \\\\ \\n"]'],
  },
  "text with a dash, which is no attachment count": {
    send: ['42["message","1-2-3 /custom,"]'],
    receive: ['42["message-back","1-2-3 /custom,"]'],
  },
  "an event with attachments": {
    send: [`452-["message",${placeholder(0)},${placeholder(1)}]`, bytes(1, 2, 3), bytes(4, 5, 6)],
    receive: [`452-["message-back",${placeholder(0)},${placeholder(1)}]`, bytes(1, 2, 3), bytes(4, 5, 6)],
  },
  "an event with a nested and an empty attachment": {
    send: [`452-["message",{"file":{"body":${placeholder(0)}}},[${placeholder(1)}]]`, bytes(), bytes(9)],
    receive: [
      `452-["message-back",{"file":{"body":${placeholder(0)}}},[${placeholder(1)}]]`,
      bytes(),
      bytes(9),
    ],
  },
  "an ack": {
    send: ['42456["message-with-ack",1,"2",{"3":[false]}]'],
    receive: ['43456[1,"2",{"3":[false]}]'],
  },
  "an ack of nothing": { send: ['420["message-with-ack"]'], receive: ["430[]"] },
  "an ack with attachments": {
    send: [`452-789["message-with-ack",${placeholder(0)},${placeholder(1)}]`, bytes(1, 2, 3), bytes(4, 5, 6)],
    receive: [`462-789[${placeholder(0)},${placeholder(1)}]`, bytes(1, 2, 3), bytes(4, 5, 6)],
  },
};

onEveryTarget("Socket.IO events and acks", {}, (server) => {
  for (const [title, { send, receive }] of Object.entries(exchanges)) {
    test(`${title}, over WebSocket`, async () => {
      using socket = await connectRaw(server.socketio);
      for (const frame of send) socket.send(frame);
      assert.deepEqual(await socket.take(receive.length), receive);
    });

    test(`${title}, over polling`, async () => {
      using session = await PollingSession.open(server.socketio);
      await session.push("40");
      await session.take(2);
      await session.push(send.map(inPayload).join(SEPARATOR));
      assert.deepEqual(await session.take(receive.length), receive.map(inPayload));
    });

    test(`${title}, in a custom namespace`, async () => {
      using socket = await connectRaw(server.socketio, "/custom");
      for (const frame of send.map(inCustom)) socket.send(frame);
      assert.deepEqual(await socket.take(receive.length), receive.map(inCustom));
    });
  }

  test("attachments that come in several pushes are put together", async () => {
    using session = await PollingSession.open(server.socketio);
    await session.push("40");
    await session.take(2);
    const packet = `452-["message",${placeholder(0)},${placeholder(1)}]`;
    for (const frame of [packet, bytes(1), bytes(2)]) await session.push(inPayload(frame));
    assert.deepEqual(await session.take(3), [packet.replace("message", "message-back"), "bAQ==", "bAg=="]);
  });

  test("an event nobody handles is ignored", async () => {
    using socket = await connectRaw(server.socketio);
    socket.send('42["nobody listens",1]');
    socket.send('42[7,"a number as a name"]');
    socket.send('42["message","next"]');
    assert.equal(await socket.next(), '42["message-back","next"]');
  });

  test("an ack nobody waits for is ignored", async () => {
    using socket = await connectRaw(server.socketio);
    socket.send("43123[1]");
    socket.send('42["message","next"]');
    assert.equal(await socket.next(), '42["message-back","next"]');
  });

  test("500 packets keep their order, acks included", async () => {
    using socket = await connectRaw(server.socketio);
    const numbers = Array.from({ length: 500 }, (_, number) => number);
    for (const number of numbers) socket.send(`42${number}["message-with-ack",${number}]`);
    assert.deepEqual(
      await socket.take(numbers.length),
      numbers.map((number) => `43${number}[${number}]`),
    );
  });
});

onEveryTarget("Socket.IO DISCONNECT", {}, (server) => {
  test("of one namespace leaves the others connected", async () => {
    using socket = await connectRaw(server.socketio);
    await connectNamespace(socket, "/custom");
    socket.send("41/custom,");
    socket.send('42["message","to the main namespace"]');
    assert.equal(await socket.next(), '42["message-back","to the main namespace"]');
  });

  test("of a namespace allows another CONNECT to it, with another id", async () => {
    using socket = await EngineSocket.start(server.socketio);
    const firstId = await connectNamespace(socket, "/");
    await disconnect(socket);
    assert.notEqual(await connectNamespace(socket, "/"), firstId);
  });

  test("of a namespace makes an event to it a violation, which closes the connection", async () => {
    using socket = await connectRaw(server.socketio);
    await disconnect(socket);
    socket.send('42["message"]');
    await socket.isClosed();
  });

  test("of the last namespace leaves the session open", async () => {
    using socket = await connectRaw(server.socketio);
    socket.send("41");
    assert.ok(await socket.isSilent(300));
    await connectNamespace(socket, "/custom");
  });
});

/** Leaves the main namespace, and waits until the server has seen it, which only another namespace can show. */
async function disconnect(socket: RawWebSocket): Promise<void> {
  await connectNamespace(socket, "/custom");
  socket.send("41");
  socket.send('42/custom,["message"]');
  assert.equal(await socket.next(), '42/custom,["message-back"]');
}

/** Frames after which the server must close; `lenient` says why the stock server does not. */
const malformed: Record<string, { frames: readonly Frame[]; lenient?: string }> = {
  "an unknown packet type": { frames: ["4abc"] },
  "an unknown packet type, a digit": { frames: ["47"] },
  "an empty packet": { frames: ["4"], lenient: 'Number("") is 0, so it is taken for a CONNECT' },
  "an event whose payload is an object": { frames: ["42{}"] },
  "an event whose payload is text": { frames: ['42"message"'] },
  "an event whose payload is no JSON": { frames: ['42["message",]'] },
  "an event whose payload is cut off": { frames: ['42["message",{"a":'] },
  "an event with something behind its payload": { frames: ['42["message"] 1'] },
  "an event with an empty payload": { frames: ["42[]"] },
  "an event without a name": { frames: ["42[null]"] },
  "an event whose name is an object": { frames: ['42[{"name":"message"}]'] },
  "an id that is no number": { frames: ['42abc["message-with-ack",1]'] },
  "a negative id": { frames: ['42-1["message-with-ack",1]'] },
  "an ack without an array": { frames: ["431{}"] },
  "a CONNECT_ERROR from the client": { frames: ['44{"message":"no"}'] },
  "a DISCONNECT with a payload": { frames: ['41{"why":"not"}'] },
  "an event in a namespace not connected to": { frames: ['42/custom,["message"]'] },
  "binary that nothing announced": { frames: [bytes(1, 2, 3)] },
  "text in place of an attachment": { frames: [`451-["message",${placeholder(0)}]`, '42["message"]'] },
  "a placeholder beyond the attachments": { frames: [`451-["message",${placeholder(1)}]`, bytes(1)] },
  "a placeholder below the attachments": { frames: [`451-["message",${placeholder(-1)}]`, bytes(1)] },
  "a placeholder that is no number": { frames: [`451-["message",${placeholder('"0"')}]`, bytes(1)] },
  "an attachment count that is none": { frames: [`45x-["message",${placeholder(0)}]`] },
  "a negative attachment count": { frames: [`45-1-["message",${placeholder(0)}]`] },
  "a fraction as attachment count": { frames: [`451.5-["message",${placeholder(0)}]`] },
  "no attachment count": { frames: [`45["message",${placeholder(0)}]`] },
  "an attachment count without a dash": { frames: [`451["message",${placeholder(0)}]`] },
  "too many attachments": { frames: [`451000000-["message",${placeholder(0)}]`] },
  "far too many attachments": { frames: [`4599999999999999999999-["message",${placeholder(0)}]`] },
};

const reservedNames = [
  "connect",
  "connect_error",
  "disconnect",
  "disconnecting",
  "newListener",
  "removeListener",
];

onEveryTarget("Socket.IO closes the connection upon", {}, (server) => {
  for (const [title, { frames, lenient }] of Object.entries(malformed)) {
    test(title, lenient === undefined ? {} : unlikeReference(lenient), async () => {
      using socket = await connectRaw(server.socketio);
      for (const frame of frames) socket.send(frame);
      await socket.isClosed();
    });
  }

  for (const name of reservedNames) {
    test(`the reserved event name ${name}`, async () => {
      using socket = await connectRaw(server.socketio);
      socket.send(`42["${name}"]`);
      await socket.isClosed();
    });
  }

  test("a malformed packet over polling", async () => {
    using session = await PollingSession.open(server.socketio);
    await session.push("40");
    await session.take(2);
    const poll = session.poll();
    assert.ok(await hangs(poll));
    await session.push("42{}").catch(() => undefined);
    assert.equal((await poll).text, "1");
    assert.equal((await session.poll()).status, 400);
  });

  test("all of these, without harm to anyone else", async () => {
    const sendable = Object.values(malformed).filter(
      ({ lenient }) => lenient === undefined || !againstReference,
    );
    using bystander = await connectRaw(server.socketio);
    await Promise.all(
      sendable.map(async ({ frames }) => {
        using socket = await connectRaw(server.socketio);
        for (const frame of frames) socket.send(frame);
        bystander.send('42["message","still here"]');
        assert.equal(await bystander.next(), '42["message-back","still here"]');
      }),
    );
  });

  test("nothing that is merely odd, such as spaces in the JSON", async () => {
    using socket = await connectRaw(server.socketio);
    socket.send('42[ "message" , 1 ]');
    assert.equal(await socket.next(), '42["message-back",1]');
  });
});

/** The same packet inside a polling payload. */
function inPayload(frame: Frame): string {
  return typeof frame === "string" ? frame : `b${frame.toString("base64")}`;
}

/** The same packet in the custom namespace, which stands between the attachment count and the ack id. */
function inCustom(frame: Frame): Frame {
  return typeof frame === "string" ? frame.replace(/^(4\d(?:\d+-)?)(?=\d*\[)/, "$1/custom,") : frame;
}
