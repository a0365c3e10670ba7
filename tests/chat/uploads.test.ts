import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import { describe, test } from "node:test";
import { send, type Answer as HttpAnswer } from "../harness/http.ts";
import { until } from "../harness/wait.ts";
import { png } from "./images.ts";
import { type Answer, type Attachment, type Message, Person } from "./person.ts";
import { onEveryScene } from "./scene.ts";

/** `--upload-limit` of these scenes. */
const LIMIT = 300_000;

onEveryScene(
  "uploads",
  (scene) => {
    const post = async (
      person: Person,
      room: string,
      content: Buffer,
      name = "rose.png",
      headers: Record<string, string> = {},
    ): Promise<{ http: HttpAnswer; answer: Answer }> => {
      const query = new URLSearchParams({ room, name }).toString();
      const http = await send(`${scene.url}/api/uploads?${query}`, {
        method: "POST",
        headers: {
          ...person.browser.headers,
          "content-type": "image/png",
          "content-length": String(content.length),
          ...headers,
        },
        body: content,
      });
      return { http, answer: JSON.parse(http.text) as Answer };
    };
    const upload = async (person: Person, room: string, content: Buffer, name?: string) => {
      const { answer } = await post(person, room, content, name);
      assert.ok(answer.upload, JSON.stringify(answer.error));
      return answer.upload;
    };
    const get = (person: Person, id: string, more = "", headers: Record<string, string> = {}) =>
      send(`${scene.url}/api/uploads/${id}${more}`, { headers: { ...person.browser.headers, ...headers } });
    /** Two people in a room. */
    const pair = async () => {
      const host = await Person.guest(scene.url);
      const other = await Person.guest(scene.url);
      const { room } = await host.create();
      await other.join(room);
      return { host, other, room };
    };
    const refused = (
      { answer, http }: { answer: Answer; http: HttpAnswer },
      code: string,
      status: number,
    ) => {
      assert.equal(answer.ok, false);
      assert.equal(answer.error?.code, code, answer.error?.message);
      assert.equal(http.status, status);
      assert.ok(answer.error.message.length > 10);
    };

    test("are attached, told to the room, shown, and gone with the message", async () => {
      const { host, other, room } = await pair();
      const image = png(1_000, 600);
      const file = await upload(host, room, image, "Rose 1.png");
      assert.deepEqual(file, {
        id: file.id,
        name: "Rose 1.png",
        type: "image/png",
        bytes: image.length,
        width: 1_000,
        height: 600,
      } satisfies Attachment);
      const text = await upload(host, room, Buffer.from("roses are red"), "poem.txt");
      assert.equal((await get(other, file.id)).status, 404, "it is not sent yet");
      assert.equal((await get(host, file.id)).status, 200);

      const told = other.next<Message>("message");
      const { number } = await host.say(room, "", { attachments: [file.id, text.id] });
      assert.deepEqual((await told).attachments, [file, text]);
      assert.deepEqual((await other.history(room)).at(-1)?.attachments, [file, text]);

      const shown = await get(other, file.id);
      assert.equal(shown.status, 200);
      assert.deepEqual(shown.body, image);
      const { headers } = shown;
      assert.equal(headers["content-type"], "image/png");
      assert.equal(headers["content-length"], String(image.length));
      assert.equal(
        headers["content-disposition"],
        `inline; filename="Rose 1.png"; filename*=UTF-8''Rose%201.png`,
      );
      assert.equal(headers["x-content-type-options"], "nosniff");
      assert.equal(headers["content-security-policy"], "default-src 'none'; sandbox");
      assert.equal(headers["cache-control"], "private, no-cache");
      const again = { "if-none-match": headers.etag ?? "" };
      assert.equal((await get(other, file.id, "", again)).status, 304);
      const small = await get(other, file.id, "/thumbnail");
      assert.equal(small.headers["content-type"], "image/jpeg");
      assert.ok(small.body.length > 100 && small.body.length < 50_000);
      assert.equal((await get(other, text.id, "/thumbnail")).status, 404);

      const stranger = await Person.guest(scene.url);
      for (const more of ["", "/thumbnail"]) {
        assert.equal((await get(stranger, file.id, more)).status, 404);
        const nobody = await send(`${scene.url}/api/uploads/${file.id}${more}`);
        assert.equal(nobody.status, 401);
      }
      await host.must("message.delete", { room, number });
      for (const who of [host, other]) {
        assert.equal((await get(who, file.id, "", again)).status, 404);
        assert.equal((await get(who, file.id, "/thumbnail")).status, 404);
      }
      assert.equal((await other.history(room)).at(-1)?.attachments, undefined);
    });

    test("of images are kept without what is written into them", async () => {
      const { host, room } = await pair();
      const file = await upload(host, room, png(30, 20, "GPS 52.52 N 13.40 E"));
      const bare = png(30, 20);
      assert.equal(file.bytes, bare.length);
      assert.deepEqual((await get(host, file.id)).body, bare);
    });

    test("of many parts come whole", async () => {
      const { host, room } = await pair();
      const content = Buffer.from(Array.from({ length: LIMIT }, (_, place) => (place * 7) % 251));
      const file = await upload(host, room, content, "noise.bin");
      assert.deepEqual((await get(host, file.id)).body, content);
    });

    test("belong to who made them and to their room, and are attached once", async () => {
      const { host, other, room } = await pair();
      const elsewhere = (await host.create()).room;
      const { id } = await upload(host, room, Buffer.from("mine"), "mine.txt");
      const attach = (person: Person, to: string, attachments: string[]) =>
        person.request("message.send", { room: to, id: randomUUID(), text: "", attachments });
      for (const answer of [
        await attach(other, room, [id]),
        await attach(host, elsewhere, [id]),
        await attach(host, room, [id, id]),
        await attach(host, room, ["AAAAAAAAAAA"]),
      ]) {
        assert.equal(answer.error?.code, "not_found");
      }
      const message = { room, id: randomUUID(), text: "", attachments: [id] };
      const first = await host.must("message.send", message);
      // A repetition is not a second message, but another message with the same file is none.
      assert.deepEqual(await host.must("message.send", message), first);
      assert.equal((await attach(host, room, [id])).error?.code, "not_found");
      assert.equal((await attach(host, room, Array<string>(5).fill(id))).error?.code, "bad_request");
      assert.equal((await attach(host, room, ["../../etc/passwd"])).error?.code, "bad_request");
      assert.equal((await attach(host, room, [])).error?.code, "bad_request");
      assert.equal((await host.history(room)).length, 1);
    });

    test("are not for who was removed from the room", async () => {
      const { host, other, room } = await pair();
      const { id } = await upload(host, room, png(10, 10));
      await host.say(room, "look", { attachments: [id] });
      assert.equal((await get(other, id)).status, 200);
      await host.must("room.remove", { room, name: other.name });
      await until("the file is out of reach", async () => (await get(other, id)).status === 404);
      refused(await post(other, room, png(10, 10)), "forbidden", 403);
    });

    describe("that are no images are downloads, whatever they say:", () => {
      const script = `<script>fetch("/api/session")</script>`;
      for (const [title, name, content] of [
        ["an SVG", "a.svg", `<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>`],
        ["an SVG that is called an image", "a.png", `<?xml version="1.0"?><svg>${script}</svg>`],
        ["a page", "a.html", `<!doctype html>${script}`],
        ["a page that begins as an image", "a.png", `\x89PNG\r\n\x1a\n${script}`],
        ["a page that begins as another", "a.gif", `GIF89a\x10\0\x10\0${script}`],
      ] as const) {
        test(title, async () => {
          const { host, room } = await pair();
          const file = await upload(host, room, Buffer.from(content, "latin1"), name);
          assert.deepEqual([file.type, file.width], ["application/octet-stream", undefined]);
          const { headers } = await get(host, file.id);
          assert.equal(headers["content-type"], "application/octet-stream");
          assert.match(headers["content-disposition"] ?? "", /^attachment; filename="/);
          assert.equal(headers["x-content-type-options"], "nosniff");
          assert.equal((await get(host, file.id, "/thumbnail")).status, 404);
        });
      }
    });

    test("have names that are labels and nothing more", async () => {
      const { host, room } = await pair();
      for (const [name, label] of [
        ["../../../etc/passwd", "passwd"],
        ["..\\..\\boot.ini", "boot.ini"],
        ["a\u202egnp.exe", "agnp.exe"],
        ['x"; filename="y.html', 'x"; filename="y.html'],
        ["a\r\nSet-Cookie: b=c", "aSet-Cookie: b=c"],
        ["/", "file"],
        ["日本.txt", "日本.txt"],
      ] as const) {
        const file = await upload(host, room, Buffer.from("x"), name);
        assert.equal(file.name, label);
        const { headers } = await get(host, file.id);
        assert.equal(headers["set-cookie"], undefined);
        const [, ascii, encoded] =
          /^attachment; filename="([^"\\;]+)"; filename\*=UTF-8''([^"; ]+)$/.exec(
            headers["content-disposition"] ?? "",
          ) ?? [];
        assert.ok(ascii);
        assert.equal(decodeURIComponent(encoded ?? ""), label);
      }
      for (const id of ["..%2f..%2fetc%2fpasswd", "%00", "AAAAAAAAAAA", "x".repeat(5_000)])
        assert.equal((await get(host, id)).status, 404, id);
    });

    describe("are refused, with a clear error and nothing kept:", () => {
      test("too large", async () => {
        const { host, room } = await pair();
        refused(await post(host, room, Buffer.alloc(LIMIT + 1)), "too_large", 413);
      });

      test("a decompression bomb", async () => {
        const { host, other, room } = await pair();
        const bomb = png(20_000, 10_000);
        assert.ok(bomb.length < LIMIT);
        refused(await post(host, room, bomb), "too_large", 413);
        await other.say(room, "still here");
      });

      test("empty", async () => {
        const { host, room } = await pair();
        refused(await post(host, room, Buffer.alloc(0)), "bad_request", 400);
      });

      test("without a length", async () => {
        const { host, room } = await pair();
        const http = await send(`${scene.url}/api/uploads?room=${room}&name=x`, {
          method: "POST",
          headers: { ...host.browser.headers, "transfer-encoding": "chunked" },
          body: "x",
        });
        refused({ http, answer: JSON.parse(http.text) as Answer }, "bad_request", 400);
      });

      test("without a room or a name, or to one that is none", async () => {
        const { host, room } = await pair();
        for (const query of ["", `?room=${room}`, "?name=x", "?room=../x&name=x"]) {
          const http = await send(`${scene.url}/api/uploads${query}`, {
            method: "POST",
            headers: { ...host.browser.headers, "content-length": "1" },
            body: "x",
          });
          refused({ http, answer: JSON.parse(http.text) as Answer }, "bad_request", 400);
        }
        refused(await post(host, "AAAAAAAAAAA", Buffer.from("x")), "forbidden", 403);
      });

      test("to a room that one is not in", async () => {
        const { room } = await pair();
        refused(await post(await Person.guest(scene.url), room, Buffer.from("x")), "forbidden", 403);
      });

      test("by nobody", async () => {
        const { host, room } = await pair();
        refused(await post(host, room, Buffer.from("x"), "x", { cookie: "" }), "not_signed_in", 401);
      });

      test("by a page of another site", async () => {
        const { host, room } = await pair();
        const others: Record<string, string>[] = [
          { origin: "https://evil.example" },
          { "sec-fetch-site": "cross-site" },
        ];
        for (const header of others)
          refused(await post(host, room, Buffer.from("x"), "x", header), "forbidden", 403);
      });

      test("more than 20 of the largest in an hour, while others go on", async () => {
        const { host, other, room } = await pair();
        const content = Buffer.alloc(LIMIT);
        for (;;) {
          const uploaded = await post(host, room, content, "big.bin");
          if (uploaded.answer.ok) continue;
          refused(uploaded, "limited", 429);
          assert.ok((uploaded.answer.error?.retryAfterMs ?? 0) > 0);
          break;
        }
        await upload(other, room, content, "big.bin");
      });
    });
  },
  ["--upload-limit", String(LIMIT)],
);
