import "./uploads.css";
import { CloseIcon, FileIcon } from "../../../shared/icons";
import { thumbnailUrl } from "../../protocol";
import type { Upload } from "../../state/attaching";
import { sizeText } from "../../text/bytes";
import { useTools } from "../tools";

/** The files that go with the message that is being written. */
export function UploadList({ room, uploads }: { room: string; uploads: readonly Upload[] }) {
  return (
    <>
      <p class="visually-hidden" role="status">
        {uploads.length === 0 ? "" : summaryOf(uploads)}
      </p>
      {uploads.length > 0 && (
        <ul class="uploads" aria-label="Files to send">
          {uploads.map((upload) => (
            <UploadItem key={upload.id} room={room} upload={upload} />
          ))}
        </ul>
      )}
    </>
  );
}

function UploadItem({ room, upload: { id, name, bytes, progress } }: { room: string; upload: Upload }) {
  const { dispatch } = useTools();
  const under = progress.is === "waiting" || progress.is === "sending";
  return (
    <li class="upload" data-testid="upload" data-name={name} data-progress={progress.is}>
      <span class="upload-picture" aria-hidden="true">
        {progress.is === "done" && progress.attachment.width !== undefined ? (
          <img src={thumbnailUrl(progress.attachment)} alt="" />
        ) : (
          <FileIcon />
        )}
      </span>
      <span class="upload-text">
        <bdi class="upload-name" title={name}>
          {name}
        </bdi>
        {progress.is === "failed" ? (
          <span class="upload-state problem" role="alert" title={progress.problem}>
            {progress.problem}
          </span>
        ) : (
          <span class="upload-state">
            {progress.is === "waiting" ? "Waiting for the connection" : sizeText(bytes)}
          </span>
        )}
        {under && (
          <progress
            aria-label={`Upload of ${name}`}
            max={bytes}
            value={progress.is === "sending" ? progress.sent : 0}
          />
        )}
      </span>
      {progress.is === "failed" && (
        <button
          type="button"
          class="link-button"
          data-testid="retry-upload"
          onClick={() => {
            dispatch({ type: "retry upload", room, id });
          }}
        >
          Try again
        </button>
      )}
      <button
        type="button"
        class="icon-button small"
        aria-label={under ? `Cancel the upload of ${name}` : `Remove ${name}`}
        title={under ? "Cancel" : "Remove"}
        data-testid="remove-upload"
        onClick={() => {
          dispatch({ type: "remove upload", room, id });
        }}
      >
        <CloseIcon />
      </button>
    </li>
  );
}

function summaryOf(uploads: readonly Upload[]): string {
  const count = (is: Upload["progress"]["is"]) => uploads.filter(({ progress }) => progress.is === is).length;
  const under = count("waiting") + count("sending");
  const parts = [
    ...(under > 0 ? [`${under} being uploaded`] : []),
    ...(count("failed") > 0 ? [`${count("failed")} failed`] : []),
    ...(count("done") > 0 ? [`${count("done")} ready to send`] : []),
  ];
  return `Files: ${parts.join(", ")}.`;
}
