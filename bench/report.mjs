// Tables of what a results file has; pure.
import { growthProvenance, growthTables } from './growth/report.mjs';
import { median } from './statistics.mjs';

/** Floors and aims are meant at this many connections. */
const JUDGED_AT = '64';

/** @returns `[{ title, rows }]`; all rows of a table have the same members, its columns */
export function tablesOf(results) {
  if (results.growth) return growthTables(results.growth);
  const shown = new Report(results);
  return [shown.paths(), shown.hotLock(), shown.workers(), shown.yardsticks(), shown.footprint()].filter(
    ({ rows }) => rows.length > 0,
  );
}

class Report {
  constructor({ cells, databaseName, footprint }) {
    this.cells = cells;
    this.byId = new Map(cells.map((cell) => [cell.id, cell]));
    this.besideNames = { bare: 'bare node:http', database: databaseName, etcd: 'etcd', redis: 'Redis' };
    this.measuredFootprint = footprint;
  }

  paths() {
    const groups = ['key-values', 'locks', 'content'];
    const rows = this.ours((cell) => groups.includes(cell.group)).flatMap((cell) =>
      this.counts(cell).map((count) => ({
        path: cell.name,
        connections: count,
        'per second': this.rate(cell, count),
        ...Object.fromEntries(
          Object.entries(this.besideNames).map(([beside, name]) => [`of ${name}`, this.ratioText(cell, count, beside)]),
        ),
        ...this.quality(cell, count),
        floor: this.verdict(cell, count, 'floor'),
        aim: this.verdict(cell, count, 'aim'),
      })),
    );
    return { title: 'Paths', rows };
  }

  hotLock() {
    const rows = this.cells
      .filter(({ group }) => group === 'hot-lock')
      .flatMap((cell) =>
        this.counts(cell).map((count) => {
          const rounds = cell.results[count];
          const of = (pick) => round2(median(rounds.map(pick)));
          return {
            'one lock': cell.name,
            clients: count,
            'grants per second': this.rate(cell, count),
            'of etcd': this.ratioText(cell, count, 'etcd'),
            'of Redis': this.ratioText(cell, count, 'redis'),
            'hand-off p50 ms': of(({ handOff }) => handOff.p50),
            'hand-off p99 ms': of(({ handOff }) => handOff.p99),
            'grants per client': `${of(({ fewestGrants }) => fewestGrants)} to ${of(({ mostGrants }) => mostGrants)}`,
            refused: of(({ refused }) => refused),
            'server busy': round2(middle(rounds, 'serverBusy')),
            'server µs': this.serverMicroseconds(rounds),
            'generator busy': of(({ generatorBusy }) => generatorBusy),
            failed: sum(rounds),
          };
        }),
      );
    return { title: 'One hot lock', rows };
  }

  workers() {
    const rows = this.ours(({ group }) => group === 'workers').flatMap((cell) =>
      this.counts(cell).map((count) => ({
        path: cell.name,
        connections: count,
        'per second': this.rate(cell, count),
        'with WORKERS=1': this.rateOf(cell.beside.oneWorker, count) ?? '',
        'of WORKERS=1': this.ratioText(cell, count, 'oneWorker'),
        ...this.quality(cell, count),
      })),
    );
    return { title: 'WORKERS=2', rows };
  }

  yardsticks() {
    const rows = this.cells
      .filter(({ isYardstick, group }) => isYardstick && group !== 'hot-lock' && group !== 'workers')
      .flatMap((cell) => {
        if (cell.absent) return [yardstick(cell.name, '', `not run: ${cell.absent}`, {})];
        return this.counts(cell).map((count) =>
          yardstick(cell.name, count, this.rate(cell, count), this.quality(cell, count)),
        );
      });
    return { title: 'Yardsticks', rows };
  }

  footprint() {
    const footprint = this.measuredFootprint;
    if (!footprint) return { title: 'Start-up and memory', rows: [] };
    const row = (what, member, unit) => ({
      what,
      measured: footprint[member] === null ? 'unknown' : `${footprint[member]} ${unit}`,
      limit: footprint.limits[member] === undefined ? '' : `${footprint.limits[member]} ${unit}`,
    });
    return {
      title: 'Start-up and memory',
      rows: [
        row('ready from nothing', 'fromNothingMs', 'ms'),
        row('ready from existing data', 'fromExistingMs', 'ms'),
        row('memory idle', 'idleMb', 'MB'),
        row('memory after load', 'loadedMb', 'MB'),
      ],
    };
  }

  ours(isWanted) {
    return this.cells.filter((cell) => !cell.isYardstick && isWanted(cell));
  }

  counts(cell) {
    return Object.keys(cell.results);
  }

  rate(cell, count) {
    return Math.round(median(cell.results[count].map(({ perSecond }) => perSecond)));
  }

  rateOf(id, count) {
    const cell = this.byId.get(id);
    return cell?.results[count] ? this.rate(cell, count) : null;
  }

  /** Null where there is nothing to compare with. */
  ratio(cell, count, beside) {
    const yardstickRate = this.rateOf(cell.beside?.[beside], count);
    return yardstickRate ? this.rate(cell, count) / yardstickRate : null;
  }

  ratioText(cell, count, beside) {
    return this.ratio(cell, count, beside)?.toFixed(2) ?? '';
  }

  /** What makes a figure doubtful stands beside it: answers that failed, and a generator without time to spare. */
  quality(cell, count) {
    const rounds = cell.results[count];
    return {
      'p50 ms': round2(middle(rounds, 'p50')),
      'p99 ms': round2(middle(rounds, 'p99')),
      'server busy': round2(middle(rounds, 'serverBusy')),
      'server µs': this.serverMicroseconds(rounds),
      'generator busy': round2(middle(rounds, 'generatorBusy')),
      failed: sum(rounds),
    };
  }

  /** The server's processor time for one operation: what others do on the machine hardly touches it. */
  serverMicroseconds(rounds) {
    const times = rounds
      .filter(({ serverBusy, perSecond }) => (serverBusy ?? null) !== null && perSecond > 0)
      .map(({ serverBusy, perSecond }) => (serverBusy * 1e6) / perSecond);
    return times.length === 0 ? '' : Math.round(median(times));
  }

  verdict(cell, count, kind) {
    const limit = cell[kind];
    if (!limit || count !== JUDGED_AT) return '';
    const wanted = `${limit.ratio} of ${this.besideNames[limit.beside]}`;
    const ratio = this.ratio(cell, count, limit.beside);
    if (ratio === null) return `${wanted}: not run`;
    return `${wanted}: ${ratio >= limit.ratio ? 'met' : 'missed'}`;
  }
}

/** '' where the system did not tell, or nothing was there to be told. */
const middle = (rounds, member) =>
  (rounds[0][member] ?? null) === null ? '' : median(rounds.map((round) => round[member]));
const yardstick = (name, count, rate, quality) => ({
  yardstick: name,
  connections: count,
  'per second': rate,
  'p50 ms': '',
  'p99 ms': '',
  'server busy': '',
  'server µs': '',
  'generator busy': '',
  ...quality,
});
const sum = (rounds) => rounds.reduce((total, { failed = 0 }) => total + failed, 0);
const round2 = (value) => (typeof value === 'number' ? Number(value.toFixed(2)) : '');

/** Tables as a page holds them, figures to the right. */
export function toMarkdown(tables) {
  return tables.map(({ title, rows }) => `### ${title}\n\n${markdownTable(rows)}\n`).join('\n');
}

function markdownTable(rows) {
  const columns = Object.keys(rows[0]);
  const cells = rows.map((row) => columns.map((column) => String(row[column] ?? '')));
  const isFigure = columns.map((_, at) => cells.every((row) => /^[\d.]*$/.test(row[at])));
  const width = columns.map((column, at) => Math.max(3, column.length, ...cells.map((row) => row[at].length)));
  const line = (row) =>
    `| ${row.map((text, at) => (isFigure[at] ? text.padStart(width[at]) : text.padEnd(width[at]))).join(' | ')} |`;
  const rule = width.map((length, at) => (isFigure[at] ? `${'-'.repeat(length - 1)}:` : '-'.repeat(length)));
  return [line(columns), `| ${rule.join(' | ')} |`, ...cells.map(line)].join('\n');
}

/** What the figures belong to, in one sentence. */
export function provenance({ date, machine, postgres, rounds, seconds, growth }) {
  const programs = [
    `node ${machine.node}`,
    postgres && `PostgreSQL ${postgres}`,
    machine.pgbench,
    machine.etcd,
    machine.redis,
  ];
  const pinning = machine.isPinned ? 'server and generator pinned to a core each' : 'processes not pinned';
  return (
    `Release ${machine.release}${machine.commit ? ` (${machine.commit})` : ''}, ${date.slice(0, 10)}, ${machine.cpu}, ` +
    `${machine.cores} cores, ${machine.memoryGiB} GiB, ${machine.kernel}; ${programs.filter(Boolean).join(', ')}; ` +
    `${growth ? growthProvenance(growth) : `medians of ${rounds} ${rounds === 1 ? 'round' : 'rounds'} of ${seconds} s`}; ${pinning}.`
  );
}
