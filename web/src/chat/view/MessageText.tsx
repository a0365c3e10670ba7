import { segments } from "../text/links";

/** What a person wrote, as text nodes; web addresses can be followed. */
export function MessageText({ text }: { text: string }) {
  return (
    <>
      {segments(text).map(({ text: part, href }) =>
        href === null ? (
          part
        ) : (
          <a href={href} target="_blank" rel="noopener noreferrer">
            {part}
          </a>
        ),
      )}
    </>
  );
}
