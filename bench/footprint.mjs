// Start-up and memory of the service.
import * as bench from './machine.mjs';
import { median } from './statistics.mjs';

const STARTS = 3;

/** What each figure should not pass. */
const LIMITS = { fromNothingMs: 4000, fromExistingMs: 1000, loadedMb: 160 };

/** @param service one that has been under load */
export async function measureFootprint({ pid, idleMb }) {
  const loadedMb = bench.residentMb(pid);
  return { idleMb, loadedMb, ...(await measureStartUp()), limits: LIMITS };
}

/** From the start of the program to the first 200 on /readyz, with the embedded database; on the server's core. */
async function measureStartUp() {
  const fromNothing = [];
  const fromExisting = [];
  for (let time = 0; time < STARTS; time++) {
    const data = bench.newFolder();
    fromNothing.push(await timeToReady(data));
    fromExisting.push(await timeToReady(data));
    bench.remove(data);
  }
  return { fromNothingMs: median(fromNothing), fromExistingMs: median(fromExisting) };
}

async function timeToReady(dataDir) {
  const port = await bench.freePort();
  const startedAt = performance.now();
  const child = bench.start(
    bench.SERVER_CORE,
    ['sh', '-c', `exec "${process.execPath}" dist/src/main.js 2>/dev/null`],
    { DATA_DIR: dataDir, PORT: String(port), GRPC_PORT: '0' },
  );
  child.stdout.resume();
  for (;;) {
    const answer = await fetch(`http://127.0.0.1:${port}/readyz`).catch(() => null);
    if (answer?.status === 200) break;
    if (child.exitCode !== null) throw new Error(`the service ended with ${child.exitCode}`);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const elapsed = Math.round(performance.now() - startedAt);
  await bench.stop(child);
  return elapsed;
}
