// Loaded into a replica before anything else: gives it a clock that is wrong by FAULTS_CLOCK_SHIFT_MS, and has it tell its parent what
// can only be seen from inside. The product's own code has no such switches.
const { monitorEventLoopDelay } = require('node:perf_hooks');
const { setFlagsFromString } = require('node:v8');
const { runInNewContext } = require('node:vm');

let shift = Number(process.env.FAULTS_CLOCK_SHIFT_MS ?? 0);
const RealDate = Date;
const realNow = RealDate.now.bind(RealDate);
globalThis.Date = class Date extends RealDate {
  constructor(...args) {
    if (args.length === 0) super(realNow() + shift);
    else super(...args);
  }

  static now() {
    return realNow() + shift;
  }
};

// The product gets no `gc` to see: only contexts made between these two lines have one.
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc');
setFlagsFromString('--no-expose-gc');

const histogram = monitorEventLoopDelay({ resolution: 10 });
histogram.enable();
process.on('message', (message) => {
  if (message?.kind === 'faults-shift') shift = message.ms;
  if (message?.kind !== 'faults-vitals') return;
  if (message.isCollected) collect();
  const { rss, heapUsed, external } = process.memoryUsage();
  process.send({
    kind: 'faults-vitals',
    // The histogram counts the resolution itself as delay.
    loopDelayP99Ms: Math.max(0, histogram.percentile(99) / 1e6 - 10),
    loopDelayMaxMs: Math.max(0, histogram.max / 1e6 - 10),
    rssBytes: rss,
    keptBytes: heapUsed + external,
  });
  histogram.reset();
});
// Listening keeps the process alive beyond its own end; it must end as it would without us.
process.channel?.unref();
