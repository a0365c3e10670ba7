/** Files that go with the next message of a room: chosen, uploaded at once, and sent with it. */

import type { Attachment } from "../protocol";
import { sizeText } from "../text/bytes";
import type { Command, Event, Step } from "./events";
import type { Chatting, Room } from "./model";
import { findRoom, inEveryRoom, inRoom, inTurn, isReady, unchanged, withToast } from "./within";

export interface Upload {
  /** The number of the file within this page. */
  readonly id: number;
  readonly name: string;
  readonly bytes: number;
  readonly progress: UploadProgress;
}

export type UploadProgress =
  /** Goes out when there is a connection. */
  | { readonly is: "waiting" }
  | { readonly is: "sending"; readonly sent: number }
  | { readonly is: "failed"; readonly problem: string }
  | { readonly is: "done"; readonly attachment: Attachment };

export type ChosenFile = Pick<Upload, "id" | "name" | "bytes">;

/** Takes the files that the server will take; says of the others why not. */
export function attach(state: Chatting, id: string, files: readonly ChosenFile[]): Step<Chatting> {
  const room = findRoom(state, id);
  if (room === undefined) return { state, commands: forgotten(files) };
  const problems = new Set<string>();
  const taken: Upload[] = [];
  const refused: ChosenFile[] = [];
  for (const file of files) {
    const problem = problemOf(state, room, file, room.uploads.length + taken.length);
    if (problem === null) taken.push({ ...file, progress: { is: "waiting" } });
    else {
      problems.add(problem);
      refused.push(file);
    }
  }
  const told = [...problems].reduce(withToast, state);
  const attached = inRoom(told, id, (before) => ({ ...before, uploads: [...before.uploads, ...taken] }));
  return inTurn(attached, (now) => ({ state: now, commands: forgotten(refused) }), startUploads);
}

function problemOf(
  { limits }: Chatting,
  { composing }: Room,
  { name, bytes }: ChosenFile,
  before: number,
): string | null {
  if (limits.uploadBytes === 0 || limits.attachments === 0) return "This server takes no files.";
  if (composing.is === "edit") return "A message that is edited takes no further files.";
  if (bytes === 0) return `“${name}” is empty.`;
  if (bytes > limits.uploadBytes) {
    return `“${name}” has ${sizeText(bytes)}: too large, at most ${sizeText(limits.uploadBytes)} are taken.`;
  }
  if (before >= limits.attachments) return `A message takes at most ${limits.attachments} files.`;
  return null;
}

/** Uploads what waits for a connection, where there is one. */
export function startUploads(state: Chatting): Step<Chatting> {
  if (!isReady(state)) return unchanged(state);
  const commands: Command[] = [];
  const started = inEveryRoom(state, (room) => {
    if (!room.uploads.some(({ progress }) => progress.is === "waiting")) return room;
    return {
      ...room,
      uploads: room.uploads.map((upload): Upload => {
        if (upload.progress.is !== "waiting") return upload;
        commands.push({ type: "upload", room: room.membership.room, id: upload.id });
        return { ...upload, progress: { is: "sending", sent: 0 } };
      }),
    };
  });
  return { state: started, commands };
}

export function retryUpload(state: Chatting, id: string, upload: number): Step<Chatting> {
  return startUploads(withProgress(state, id, upload, { is: "waiting" }));
}

export function removeUpload(state: Chatting, id: string, upload: number): Step<Chatting> {
  const removed = inRoom(state, id, (room) => ({
    ...room,
    uploads: room.uploads.filter((other) => other.id !== upload),
  }));
  return { state: removed, commands: [{ type: "forget file", id: upload }] };
}

export function withProgress(
  state: Chatting,
  id: string,
  upload: number,
  progress: UploadProgress,
): Chatting {
  return inRoom(state, id, (room) => ({
    ...room,
    uploads: room.uploads.map((other) => (other.id === upload ? { ...other, progress } : other)),
  }));
}

export function uploadEnded(state: Chatting, { room, id, result }: UploadEnded): Chatting {
  const progress: UploadProgress =
    "problem" in result
      ? { is: "failed", problem: result.problem }
      : { is: "done", attachment: result.attachment };
  return withProgress(state, room, id, progress);
}

type UploadEnded = Extract<Event, { type: "upload ended" }>;

/** What goes with a message that is sent now; null while something of it is not there yet. */
export function attachmentsOf(uploads: readonly Upload[]): readonly Attachment[] | null {
  const attachments: Attachment[] = [];
  for (const { progress } of uploads) {
    if (progress.is !== "done") return null;
    attachments.push(progress.attachment);
  }
  return attachments;
}

/** Files that are needed no more. */
export function forgotten(files: readonly Pick<Upload, "id">[]): Command[] {
  return files.map(({ id }) => ({ type: "forget file", id }));
}
