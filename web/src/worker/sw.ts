/**
 * Keeps the shell of the page (its document, scripts and styles) so that it opens without a network and at once on a
 * slow one. What people say never goes through here: requests to the server are left alone.
 */

import type { NotificationClicked } from "../shared/notificationClicked";

declare const self: ServiceWorkerGlobalScope;

const CACHE = "hither-shell";
const PAGE = "/";

self.addEventListener("install", (event) => {
  event.waitUntil(keepShell().then(() => self.skipWaiting()));
});

self.addEventListener("activate", (event) => {
  event.waitUntil(self.clients.claim());
});

self.addEventListener("fetch", (event) => {
  const { request } = event;
  const { origin, pathname } = new URL(request.url);
  if (request.method !== "GET" || origin !== self.location.origin) return;
  if (request.mode === "navigate" && pathname === PAGE) event.respondWith(freshPage(request));
  else if (pathname.startsWith("/assets/")) event.respondWith(asset(request));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const { room } = event.notification.data as { room: string };
  event.waitUntil(openRoom(room));
});

/** In a page that is open, or in a new one. */
async function openRoom(room: string): Promise<void> {
  const pages = await self.clients.matchAll({ type: "window" });
  const page = pages.find(({ url }) => new URL(url).pathname === PAGE);
  if (page === undefined) {
    await self.clients.openWindow(`${PAGE}?room=${encodeURIComponent(room)}`);
    return;
  }
  const clicked: NotificationClicked = { room };
  page.postMessage(clicked);
  await page.focus();
}

/** The page, and what it names. */
async function keepShell(): Promise<void> {
  const cache = await caches.open(CACHE);
  const page = await fetch(PAGE, { cache: "no-cache" });
  if (!page.ok) throw new Error(`The page is not there: ${page.status}`);
  await keepPage(cache, page);
}

/** Replaces the page, with its assets first: a page without them would be worse than the former. */
async function keepPage(cache: Cache, page: Response): Promise<void> {
  const text = await page.clone().text();
  const named = [...text.matchAll(/(?:src|href)="(\/assets\/[^"]+)"/gu)].map(([, path]) => path ?? "");
  const held = new Set((await cache.keys()).map(({ url }) => new URL(url).pathname));
  await cache.addAll(named.filter((path) => !held.has(path)));
  await cache.put(PAGE, page);
}

/** From the network, and kept; from what was kept where there is no network. */
async function freshPage(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  try {
    const page = await fetch(request);
    if (page.ok) await keepPage(cache, page.clone());
    return page;
  } catch (error) {
    const kept = await cache.match(PAGE);
    if (kept === undefined) throw error;
    return kept;
  }
}

/** The names of assets change with what is in them, so what is kept is right. */
async function asset(request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  const kept = await cache.match(request);
  if (kept !== undefined) return kept;
  const fetched = await fetch(request);
  if (fetched.ok) await cache.put(request, fetched.clone());
  return fetched;
}
