const encoder = new TextEncoder();

/** The length that the server's limit counts: bytes of UTF-8. */
export function byteLength(text: string): number {
  return encoder.encode(text).length;
}
