const encoder = new TextEncoder();

/** The length that the server's limit counts: bytes of UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}

const UNITS = ["bytes", "KB", "MB", "GB"] as const;

/** A size as people read it, such as `1.5 MB`. */
export function sizeText(bytes: number): string {
  const power = Math.min(UNITS.length - 1, Math.floor(Math.log2(Math.max(1, bytes)) / 10));
  const amount = bytes / 1024 ** power;
  const digits = power > 0 && amount < 10 ? 1 : 0;
  return `${Number(amount.toFixed(digits))} ${UNITS[power] ?? ""}`;
}
