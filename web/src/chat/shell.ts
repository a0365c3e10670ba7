/** Keeps the page itself at hand, so that it opens without a network. Not while it is being worked on. */
export function registerShell(): void {
  if (!import.meta.env.PROD || !("serviceWorker" in navigator)) return;
  navigator.serviceWorker.register("/sw.js").catch((error: unknown) => {
    console.warn("This page will not open without a network:", error);
  });
}
