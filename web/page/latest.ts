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

  get isWaiting(): boolean {
    return this.again;
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

/** A function that runs once no call has come for a while. */
export function debounced(milliseconds: number, run: () => void): () => void {
  let timer: ReturnType<typeof setTimeout> | undefined;
  return () => {
    clearTimeout(timer);
    timer = setTimeout(run, milliseconds);
  };
}

/** Lets the browser draw and take input before the work goes on. */
export function breathe(): Promise<void> {
  return new Promise((resolve) => {
    const channel = new MessageChannel();
    channel.port1.onmessage = () => resolve();
    channel.port2.postMessage(null);
  });
}
