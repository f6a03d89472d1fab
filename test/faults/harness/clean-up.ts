/** What has to go when a run ends, however it ends. Later entries go first: a replica before its database, that before its folder. */
const actions = new Set<() => void | Promise<void>>();

/** @returns does it now, and only once */
export function atTheEnd(action: () => void | Promise<void>): () => Promise<void> {
  actions.add(action);
  return async () => {
    if (actions.delete(action)) await action();
  };
}

export async function cleanUp(): Promise<void> {
  for (const action of [...actions].reverse()) {
    actions.delete(action);
    try {
      await action();
    } catch (error) {
      process.stderr.write(`clean-up: ${String(error)}\n`);
    }
  }
}
