import "./toasts.css";
import { useEffect } from "preact/hooks";
import { CloseIcon } from "../../shared/icons";
import type { Toast } from "../state/model";
import { useTools } from "./tools";

/** Milliseconds that a toast stays: time to read a line. */
const SHOWN_FOR = 6_000;

export function Toasts({ toasts }: { toasts: readonly Toast[] }) {
  return (
    <div class="toasts" role="alert">
      {toasts.map((toast) => (
        <ToastView key={toast.id} toast={toast} />
      ))}
    </div>
  );
}

function ToastView({ toast }: { toast: Toast }) {
  const { dispatch } = useTools();
  useEffect(() => {
    const timer = setTimeout(() => {
      dispatch({ type: "dismiss toast", id: toast.id });
    }, SHOWN_FOR);
    return () => {
      clearTimeout(timer);
    };
  }, [toast.id, dispatch]);
  return (
    <div class="toast" data-testid="toast">
      <span dir="auto">{toast.text}</span>
      <button
        type="button"
        class="icon-button"
        aria-label="Dismiss"
        onClick={() => {
          dispatch({ type: "dismiss toast", id: toast.id });
        }}
      >
        <CloseIcon />
      </button>
    </div>
  );
}
