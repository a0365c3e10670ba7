import { failure, isAnswer, notUnderstood } from "./answers";
import type { Answer, Attachment } from "./protocol";

type Uploaded = Answer<{ upload: Attachment }>;

/** Files on their way to the server. The state knows them by number, since it is plain data and a file is not. */
export class Uploads {
  readonly #files = new Map<number, File>();
  readonly #running = new Map<number, XMLHttpRequest>();
  #next = 1;

  /** Keeps a file until it is forgotten; gives its number. */
  hold(file: File): number {
    const id = this.#next;
    this.#next += 1;
    this.#files.set(id, file);
    return id;
  }

  /** Ends the upload, if it is under way. */
  forget(id: number): void {
    this.#running.get(id)?.abort();
    this.#running.delete(id);
    this.#files.delete(id);
  }

  forgetAll(): void {
    for (const id of [...this.#files.keys()]) this.forget(id);
  }

  /** Sends a file. Never fails: the answer says what went wrong; null when the file was forgotten meanwhile. */
  send(id: number, room: string, progressed: (sent: number) => void): Promise<Uploaded | null> {
    const file = this.#files.get(id);
    if (file === undefined) return Promise.resolve(null);
    // `fetch` does not tell how much has been sent.
    const request = new XMLHttpRequest();
    this.#running.set(id, request);
    return new Promise((resolve) => {
      const ended = (answer: Uploaded | null) => {
        if (this.#running.get(id) === request) this.#running.delete(id);
        resolve(answer);
      };
      request.upload.onprogress = ({ loaded }) => {
        progressed(loaded);
      };
      request.onload = () => {
        ended(read(request));
      };
      request.onerror = () => {
        ended(failure("no_answer", "It did not arrive: the connection broke, or the file cannot be read."));
      };
      request.onabort = () => {
        ended(null);
      };
      request.open("POST", `/api/uploads?${new URLSearchParams({ room, name: file.name }).toString()}`);
      request.setRequestHeader("Content-Type", "application/octet-stream");
      request.send(file);
    });
  }
}

function read({ status, responseText }: XMLHttpRequest): Uploaded {
  try {
    const answer: unknown = JSON.parse(responseText);
    if (isAnswer<{ upload: Attachment }>(answer)) return answer;
  } catch {
    // Not of this server.
  }
  return status === 413
    ? failure("too_large", "It is larger than what is let through on the way to the server.")
    : notUnderstood(status);
}
