import type { Sight } from "../feed";
import type { Model } from "../model";

const SIGHTS: Record<Sight, string> = { connecting: "Connecting…", live: "Live", lost: "Reconnecting…" };

/** Whether what is drawn is what is, and by which way it comes. */
export function SightBadge({ model: { sight, transport, you } }: { model: Model }) {
  const route = you === null ? "" : you.ingress === you.owner ? you.owner : `${you.ingress} → ${you.owner}`;
  const explanation =
    you === null
      ? "Where this page's own session is, is not known yet."
      : `This page is connected to ${you.ingress}; its session lives on ${you.owner}.`;
  return (
    <p
      class="sight"
      role="status"
      title={explanation}
      data-testid="sight"
      data-sight={sight}
      data-transport={transport}
      data-owner={you?.owner ?? ""}
      data-ingress={you?.ingress ?? ""}
    >
      <span class="sight-dot" aria-hidden="true" />
      {SIGHTS[sight]}
      {sight === "live" && route !== "" && <span class="sight-route">{route}</span>}
    </p>
  );
}
