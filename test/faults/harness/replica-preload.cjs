// Loaded into a replica before anything else: gives it a clock that is wrong by FAULTS_CLOCK_SHIFT_MS, and has it tell its parent what
// can only be seen from inside. The product's own code has no such switches.
const { monitorEventLoopDelay } = require('node:perf_hooks');

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

const histogram = monitorEventLoopDelay({ resolution: 10 });
histogram.enable();
process.on('message', (message) => {
  if (message?.kind === 'faults-shift') shift = message.ms;
  if (message?.kind !== 'faults-vitals') return;
  process.send({
    kind: 'faults-vitals',
    // The histogram counts the resolution itself as delay.
    loopDelayP99Ms: Math.max(0, histogram.percentile(99) / 1e6 - 10),
    loopDelayMaxMs: Math.max(0, histogram.max / 1e6 - 10),
    rssBytes: process.memoryUsage.rss(),
  });
  histogram.reset();
});
// Listening keeps the process alive beyond its own end; it must end as it would without us.
process.channel?.unref();
