import type { Entry, Occurrence } from "../log";

export function Log({ entries }: { entries: readonly Entry[] }) {
  return (
    <section class="log">
      <h2>What happened</h2>
      {entries.length === 0 && <p class="log-empty">Nothing yet. Start a node, or end one.</p>}
      <ol aria-live="polite" data-testid="log">
        {entries.map((entry) => (
          <li key={entry.id} class={entry.what} data-testid="log-entry" data-what={entry.what}>
            <time dateTime={new Date(entry.at).toISOString()}>{clock(entry.at)}</time>
            <span>{told(entry)}</span>
          </li>
        ))}
      </ol>
    </section>
  );
}

function clock(at: number): string {
  return new Date(at).toLocaleTimeString("en-GB");
}

function told(occurrence: Occurrence): string {
  switch (occurrence.what) {
    case "moved":
      return `${occurrence.count} moved ${occurrence.from} → ${occurrence.to}`;
    case "appeared":
      return `${occurrence.count} began on ${occurrence.node}`;
    case "ended":
      return `${occurrence.count} ended on ${occurrence.node}`;
    case "joining":
      return `${occurrence.node} is joining`;
    case "joined":
      return `${occurrence.node} is up`;
    case "leaving":
      return `${occurrence.node} is leaving`;
    case "left":
      return `${occurrence.node} has left`;
    case "lost":
      return `${occurrence.node} is lost`;
    case "restarted":
      return `${occurrence.node} has started again`;
  }
}
