/** What the service worker tells a page whose notification was clicked. */
export interface NotificationClicked {
  readonly room: string;
}
