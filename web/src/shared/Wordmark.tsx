/** Three ways that lead to one place, and the name. */
export function Wordmark() {
  return (
    <span class="wordmark">
      <svg viewBox="0 0 32 32" aria-hidden="true">
        <g fill="none" stroke="currentColor" stroke-linecap="round" stroke-width="3">
          <path d="M3 6C11 6 11 16 19 16" opacity=".5" />
          <path d="M3 16H19" opacity=".75" />
          <path d="M3 26C11 26 11 16 19 16" opacity=".5" />
        </g>
        <circle cx="23" cy="16" r="6" fill="currentColor" />
      </svg>
      Hither
    </span>
  );
}
