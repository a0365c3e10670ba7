import type { Sight } from "../feed";
import type { Model } from "../model";

const SIGHTS: Record<Sight, string> = { connecting: "Connecting…", live: "Live", lost: "Reconnecting…" };

/** Whether what is drawn is what is, and by which way it comes. */
export function SightBadge({ model: { sight, hello } }: { model: Model }) {
  return (
    <p
      class="sight"
      role="status"
      title={hello === null ? "No node has answered yet." : `As ${hello.node} sees it.`}
      data-testid="sight"
      data-sight={sight}
      data-node={hello?.node ?? ""}
    >
      <span class="sight-dot" aria-hidden="true" />
      {SIGHTS[sight]}
      {sight === "live" && hello !== null && <span class="sight-route">{hello.node}</span>}
    </p>
  );
}
