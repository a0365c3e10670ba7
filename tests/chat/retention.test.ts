import assert from "node:assert/strict";
import { test } from "node:test";
import { send } from "../harness/http.ts";
import { until } from "../harness/wait.ts";
import { type Answer, Person } from "./person.ts";
import { onEveryScene } from "./scene.ts";

const KEPT = 5;

onEveryScene(
  "a retention by count",
  (scene) => {
    test("removes what is beyond it with its files, and numbers go on", async () => {
      const ada = await Person.guest(scene.url);
      const { room } = await ada.create();
      const content = Buffer.from("soon gone");
      const http = await send(`${scene.url}/api/uploads?room=${room}&name=x.txt`, {
        method: "POST",
        headers: { ...ada.browser.headers, "content-length": String(content.length) },
        body: content,
      });
      const { upload } = JSON.parse(http.text) as Answer;
      assert.ok(upload);
      await ada.say(room, "with a file", { attachments: [upload.id] });
      for (let number = 2; number <= 20; number += 1) await ada.say(room, `${number}`);
      await until("the first messages are removed", async () => (await ada.history(room)).length === KEPT, {
        within: 40_000,
      });
      assert.deepEqual(
        (await ada.history(room)).map(({ number }) => number),
        [16, 17, 18, 19, 20],
      );
      const { more } = await ada.must("message.history", { room });
      assert.deepEqual(more, { before: false, after: false });
      const gone = await send(`${scene.url}/api/uploads/${upload.id}`, { headers: ada.browser.headers });
      assert.equal(gone.status, 404);
      assert.equal((await ada.say(room, "next")).number, 21);
      const { messages } = await ada.must("message.search", { room, query: "file" });
      assert.deepEqual(messages, []);
    });
  },
  ["--retain-messages", String(KEPT)],
);
