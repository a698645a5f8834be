// The tasks of a page's main thread, by the time that they computed.
//
// The long tasks of PerformanceObserver include the time in which other processes had the processor, so that a busy machine
// would fail a test. On a quiet one the two times are the same.

/** Records the tasks of a page. Returns a function that ends it and gives their milliseconds, longest first. */
export async function recordTasks(page) {
  const session = await page.context().newCDPSession(page);
  await session.send("Tracing.start", {
    transferMode: "ReturnAsStream",
    traceConfig: { includedCategories: ["toplevel", "disabled-by-default-devtools.timeline"], excludedCategories: ["*"] },
  });
  return async () => {
    const complete = new Promise((resolve) => session.once("Tracing.tracingComplete", resolve));
    await session.send("Tracing.end");
    const { stream } = await complete;
    let text = "";
    for (let ended = false; !ended; ) {
      const { data, eof } = await session.send("IO.read", { handle: stream, size: 1 << 22 });
      text += data;
      ended = eof;
    }
    await session.send("IO.close", { handle: stream });
    return mainThread(JSON.parse(text).traceEvents);
  };
}

/** The tasks of the main thread that worked most, which is that of the page. */
function mainThread(events) {
  const threads = new Map();
  for (const { name, args, pid, tid } of events) {
    if (name === "thread_name" && args.name === "CrRendererMain") threads.set(`${pid} ${tid}`, []);
  }
  for (const { name, pid, tid, tdur } of events) {
    if (tdur !== undefined && /RunTask$/.test(name)) threads.get(`${pid} ${tid}`)?.push(tdur / 1000);
  }
  const sum = (tasks) => tasks.reduce((total, time) => total + time, 0);
  const [tasks = []] = [...threads.values()].sort((a, b) => sum(b) - sum(a));
  return tasks.sort((a, b) => b - a);
}
