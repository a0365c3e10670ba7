/** A hidden page is given no frames; its title must still say what arrived. In milliseconds. */
const WITHOUT_FRAMES = 200;

/** Work that is done once per frame, however often it is asked for; or at once, which settles what was asked for. */
export interface FrameWork {
  readonly soon: () => void;
  readonly now: () => void;
}

export function frameWork(work: () => void): FrameWork {
  let frame: number | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  const now = () => {
    if (frame !== undefined) cancelAnimationFrame(frame);
    clearTimeout(timer);
    frame = undefined;
    work();
  };
  const soon = () => {
    if (frame !== undefined) return;
    frame = requestAnimationFrame(now);
    timer = setTimeout(now, WITHOUT_FRAMES);
  };
  return { soon, now };
}
