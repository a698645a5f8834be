/** Work that always runs on the newest state: one at a time, and once more if something changed meanwhile. */

export class Latest {
  private running: Promise<void> | null = null;
  private again = false;

  constructor(private readonly work: () => Promise<void>) {}

  /** Runs the work, after the one that runs now. */
  ask(): Promise<void> {
    this.again = true;
    this.running ??= this.loop();
    return this.running;
  }

  private async loop(): Promise<void> {
    try {
      while (this.again) {
        this.again = false;
        await this.work();
      }
    } finally {
      this.running = null;
    }
  }
}

/** A function that runs once no call has come for a while. `cancel` forgets the calls that came. */
export function debounced(milliseconds: number, run: () => void): (() => void) & { cancel(): void } {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const cancel = (): void => clearTimeout(timer);
  const call = (): void => {
    cancel();
    timer = setTimeout(run, milliseconds);
  };
  return Object.assign(call, { cancel });
}

/** Lets the browser draw and take input before the work goes on. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(null);
  });
}
