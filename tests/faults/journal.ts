import { existsSync, readFileSync } from "node:fs";

/** What the test did and what its clients saw, in lines like those of the nodes, to be read together with them. */
export class Journal {
  readonly #lines: string[] = [];

  readonly note = (line: string): void => {
    this.#lines.push(`test ${new Date().toISOString().slice(11, 23)} ${line}`);
  };

  /** These logs and this journal, in the order of time. A test that runs over midnight (UTC) reads oddly. */
  mergedWith(logs: readonly string[]): string[] {
    const lines = [
      ...this.#lines,
      ...new Set(
        logs.filter(existsSync).flatMap((log) => readFileSync(log, "utf8").split("\n").filter(Boolean)),
      ),
    ];
    let latest = "";
    const timed = lines.map((line) => {
      // A line without a time belongs to the one before it.
      latest = /^\S+ (\d\d:\d\d:\d\d\.\d{3}) /.exec(line)?.[1] ?? latest;
      return { at: latest, line };
    });
    return timed.sort((one, other) => one.at.localeCompare(other.at)).map(({ line }) => line);
  }
}
