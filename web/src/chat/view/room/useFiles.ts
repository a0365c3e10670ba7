import { useCallback, useEffect, useState } from "preact/hooks";
import { useTools } from "../tools";

/** Takes files for the message that is being written, whichever way they come. */
export function useAttach(room: string): (files: Iterable<File>) => void {
  const { dispatch, holdFile } = useTools();
  return useCallback(
    (files) => {
      const chosen = [...files].map((file) => ({ id: holdFile(file), name: file.name, bytes: file.size }));
      if (chosen.length > 0) dispatch({ type: "attach", room, files: chosen });
    },
    [dispatch, holdFile, room],
  );
}

/** Whether files are being dragged over the page, and what is to be done where they may be dropped. */
export function useDrop(take: (files: Iterable<File>) => void) {
  const [over, setOver] = useState(false);

  useEffect(() => {
    // Beside the conversation, a browser would leave the page for the file.
    const onDrag = (event: DragEvent) => {
      if (hasFiles(event)) event.preventDefault();
    };
    window.addEventListener("dragover", onDrag);
    window.addEventListener("drop", onDrag);
    return () => {
      window.removeEventListener("dragover", onDrag);
      window.removeEventListener("drop", onDrag);
    };
  }, []);

  return {
    over,
    handlers: {
      onDragOver: (event: DragEvent) => {
        if (hasFiles(event)) setOver(true);
      },
      onDragLeave: (event: DragEvent) => {
        const { currentTarget, relatedTarget } = event;
        const inside =
          currentTarget instanceof Node &&
          relatedTarget instanceof Node &&
          currentTarget.contains(relatedTarget);
        if (!inside) setOver(false);
      },
      onDrop: (event: DragEvent) => {
        setOver(false);
        if (hasFiles(event)) take(event.dataTransfer?.files ?? []);
      },
    },
  };
}

/** Files that were pasted; none if there is text as well, as from a word processor, which adds a picture of it. */
export function pastedFiles({ clipboardData }: ClipboardEvent): readonly File[] {
  if (clipboardData === null || clipboardData.types.includes("text/plain")) return [];
  return [...clipboardData.files];
}

function hasFiles({ dataTransfer }: DragEvent): boolean {
  return dataTransfer?.types.includes("Files") ?? false;
}
