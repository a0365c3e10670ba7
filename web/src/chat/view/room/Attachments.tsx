import "./attachments.css";
import { useState } from "preact/hooks";
import { DownloadIcon, FileIcon } from "../../../shared/icons";
import { type Attachment, attachmentUrl, thumbnailUrl } from "../../protocol";
import { sizeText } from "../../text/bytes";

/** The files of a message: images as small pictures that lead to the whole, anything else as a download. */
export function Attachments({ attachments }: { attachments: readonly Attachment[] | undefined }) {
  if (attachments === undefined || attachments.length === 0) return null;
  return (
    <ul class="attachments" aria-label="Files">
      {attachments.map((attachment) => (
        <li key={attachment.id} data-testid="attachment" data-name={attachment.name}>
          <AttachmentView attachment={attachment} />
        </li>
      ))}
    </ul>
  );
}

function AttachmentView({ attachment }: { attachment: Attachment }) {
  const { name, width, height } = attachment;
  const [broken, setBroken] = useState(false);
  if (width === undefined || height === undefined || broken) return <FileLink attachment={attachment} />;
  return (
    <a
      class="picture"
      href={attachmentUrl(attachment)}
      target="_blank"
      rel="noopener"
      // Known before the picture is, so that nothing moves when it comes.
      style={{ width: `${shownWidth(width, height)}px`, aspectRatio: `${width} / ${height}` }}
    >
      <img
        src={thumbnailUrl(attachment)}
        alt={name}
        title={name}
        loading="lazy"
        onError={() => {
          setBroken(true);
        }}
      />
    </a>
  );
}

function FileLink({ attachment }: { attachment: Attachment }) {
  const { name, bytes } = attachment;
  return (
    <a class="file" href={attachmentUrl(attachment)} download={name}>
      <FileIcon />
      <bdi class="file-name" title={name}>
        {name}
      </bdi>
      <span class="file-size">{sizeText(bytes)}</span>
      <DownloadIcon />
    </a>
  );
}

/** CSS pixels that a picture may take, and that a narrow or low one takes at least. */
const WIDEST = 340;
const HIGHEST = 260;
const LEAST = 48;

function shownWidth(width: number, height: number): number {
  return Math.round(Math.max(LEAST, Math.min(width, WIDEST, (HIGHEST * width) / height)));
}
