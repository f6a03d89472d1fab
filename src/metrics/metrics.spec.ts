import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Metrics } from './metrics';
import { ReadGauge } from './read-gauge';

interface Described {
  readonly name: string;
  readonly type: string;
  readonly labels: readonly string[];
}

const DOCS = join(__dirname, '../../docs');
const metrics = new Metrics();
const registered = metrics.registry.getMetricsAsArray().map((metric) => {
  const { name, type, labelNames } = metric as unknown as { name: string; type: string; labelNames: string[] };
  return { name, type, labels: labelNames };
});
/** Node's own, which the page names only in part. */
const isDefault = ({ name }: Described): boolean => /^(process|nodejs)_/.test(name);

describe('docs/metrics.md', () => {
  const page = readFileSync(join(DOCS, 'metrics.md'), 'utf8');

  it('lists every metric of the service with its type and its labels, and no other', () => {
    const rows = [...page.matchAll(/^\| `([a-z_]+)` +\| (counter|gauge|histogram) +\|([^|]*)\|/gm)];
    const listed = rows.map(([, name, type, labels]) => ({
      name,
      type,
      // What stands in brackets are the values.
      labels: [...labels!.replace(/\([^)]*\)/g, '').matchAll(/`([a-z]+)`/g)].map(([, label]) => label),
    }));
    const byName = (one: { name?: string }, other: { name?: string }): number => (one.name! < other.name! ? -1 : 1);
    expect(listed.sort(byName)).toEqual(registered.filter((metric) => !isDefault(metric)).sort(byName));
  });

  it('names only metrics that exist', () => {
    const named = [...page.matchAll(/`((?:process|nodejs|lock|kv|db|http)_[a-z0-9_]+)`/g)].map(([, name]) => name);
    expect(named.filter((name) => !registered.some((metric) => metric.name === name))).toEqual([]);
  });
});

describe('docs/grafana-dashboard.json', () => {
  const text = readFileSync(join(DOCS, 'grafana-dashboard.json'), 'utf8');
  const { panels } = JSON.parse(text) as { panels: { targets?: { expr: string }[] }[] };
  const expressions = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  const words = new Set(expressions.flatMap((expr) => expr.match(/\b[a-z0-9]+(?:_[a-z0-9]+)+\b(?=\{)/g) ?? []));
  const samples = registered.flatMap(({ name, type }) =>
    type === 'histogram' ? ['bucket', 'sum', 'count'].map((suffix) => `${name}_${suffix}`) : [name],
  );

  it('asks only for metrics that exist', () => {
    expect(words.size).toBeGreaterThan(20);
    expect([...words].filter((word) => !samples.includes(word))).toEqual([]);
  });

  it('shows every metric of the service', () => {
    const own = registered.filter((metric) => !isDefault(metric)).map(({ name }) => name);
    expect(own.filter((name) => !text.includes(name))).toEqual([]);
  });

  it('groups only by labels that exist', () => {
    const known = new Set(['le', 'instance', ...registered.flatMap(({ labels }) => labels)]);
    const groups = expressions.flatMap((expr) => [...expr.matchAll(/ by \(([^)]*)\)/g)].map(([, list]) => list!));
    expect(groups.flatMap((list) => list.split(', ')).filter((label) => !known.has(label))).toEqual([]);
  });
});

describe('a gauge that is read when somebody asks', () => {
  const fresh = (): { gauge: ReadGauge; text: () => Promise<string> } => {
    const { registry } = new Metrics();
    registry.clear();
    return { gauge: new ReadGauge('it', 'It.', {}, registry), text: () => registry.metrics() };
  };

  it('has no value while nobody knows it, or reading it fails', async () => {
    const { gauge, text } = fresh();
    expect(await text()).not.toMatch(/^it /m);
    gauge.readFrom(() => 5);
    expect(await text()).toMatch(/^it 5$/m);
    gauge.readFrom(() => Promise.reject(new Error('away')));
    expect(await text()).not.toMatch(/^it /m);
  });

  it('reads once for all who ask at the same time, and answers them when the reading takes too long', async () => {
    const { gauge, text } = fresh();
    const read = jest.fn(() => new Promise<number>(() => undefined));
    gauge.readFrom(read);
    const answers = await Promise.all([text(), text()]);
    expect(await text()).toBe(answers[0]);
    expect(answers[0]).not.toMatch(/^it /m);
    expect(read).toHaveBeenCalledTimes(1);
  });
});
