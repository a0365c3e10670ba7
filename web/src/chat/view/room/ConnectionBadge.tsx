import "./connectionBadge.css";
import { useState } from "preact/hooks";
import type { Connection } from "../../state/model";

const STATES: Record<Connection["is"], string> = {
  connecting: "Connecting…",
  online: "Online",
  reconnecting: "Reconnecting…",
};
const TRANSPORTS = { polling: "Long polling", websocket: "WebSocket" };

/** Always in sight: whether we are connected and how, the node we landed on and the node that owns our session. */
export function ConnectionBadge({ connection }: { connection: Connection }) {
  const online = connection.is === "online" ? connection : null;
  const ingress = online?.placement?.ingress ?? "";
  const owner = online?.placement?.owner ?? "";
  const transport = online === null ? "" : TRANSPORTS[online.transport];
  const route = ingress === owner ? ingress : `${ingress} → ${owner}`;
  const [clusterPage, setClusterPage] = useState<string | null>(null);
  const look = ({ newState }: { readonly newState: string }) => {
    if (newState === "open") void findClusterPage().then(setClusterPage);
  };

  return (
    <>
      <button
        type="button"
        class="connection"
        popovertarget="connection-details"
        title="Connection"
        data-testid="connection-state"
        data-state={connection.is}
        data-transport={online?.transport ?? ""}
        data-ingress={ingress}
        data-owner={owner}
      >
        <span class="connection-dot" aria-hidden="true" />
        <span class="connection-state">{online === null ? STATES[connection.is] : transport}</span>
        {route !== "" && <span class="connection-route">{route}</span>}
      </button>
      <div id="connection-details" class="connection-details" popover="auto" onToggle={look}>
        <dl>
          <dt>State</dt>
          <dd>{STATES[connection.is]}</dd>
          {online !== null && (
            <>
              <dt>Transport</dt>
              <dd>{transport}</dd>
              <dt>Landed on</dt>
              <dd>{ingress === "" ? "not known yet" : ingress}</dd>
              <dt>Session owned by</dt>
              <dd>{owner === "" ? "not known yet" : owner}</dd>
            </>
          )}
        </dl>
        <p>{explanation(online !== null, ingress, owner)}</p>
        {clusterPage !== null && (
          <p>
            <a href={clusterPage} target="_blank" rel="noopener" data-testid="to-cluster">
              Watch the cluster
            </a>
          </p>
        )}
      </div>
      <span class="visually-hidden" role="status">
        {STATES[connection.is]}
      </span>
    </>
  );
}

/** Where the cluster can be watched, if this address is one at which it may: then a node's health links to it. */
async function findClusterPage(): Promise<string | null> {
  try {
    const { headers } = await fetch("/health");
    return /<([^>]*)>; rel="status"/.exec(headers.get("link") ?? "")?.[1] ?? null;
  } catch {
    // No node answers, and then there is nothing to watch it by.
    return null;
  }
}

function explanation(online: boolean, ingress: string, owner: string): string {
  if (!online) return "What you write is kept, and goes out when a node answers.";
  if (ingress === owner) return "The node you reached also owns your session.";
  return `What reaches ${ingress} is carried to ${owner}, where your session lives. Any other node would do the same.`;
}
