import { useRef, useState } from "preact/hooks";

/** A secret that is shown once, to be taken elsewhere. */
export function Copyable({ label, text, testId }: { label: string; text: string; testId: string }) {
  const output = useRef<HTMLOutputElement>(null);
  const [told, setTold] = useState("");

  const copy = async () => {
    if (await copied(text)) {
      setTold("Copied.");
      return;
    }
    if (output.current !== null) getSelection()?.selectAllChildren(output.current);
    setTold("This browser does not let the page copy. It is selected: press Ctrl C.");
  };
  return (
    <div class="copyable">
      <p class="form-hint">{label}</p>
      <div>
        <output ref={output} class="token" data-testid={testId}>
          {text}
        </output>
        <button type="button" data-testid={`copy-${testId}`} onClick={() => void copy()}>
          Copy
        </button>
      </div>
      <p class="form-hint" role="status">
        {told}
      </p>
    </div>
  );
}

/** False where the browser has no clipboard for pages, as over plain HTTP, or does not allow it. */
async function copied(text: string): Promise<boolean> {
  if (!isSecureContext) return false;
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch (error) {
    console.warn("The browser does not let the page copy:", error);
    return false;
  }
}
