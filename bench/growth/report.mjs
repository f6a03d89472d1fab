// Tables of what a measurement of growth has; pure.
import { median } from '../statistics.mjs';

/** @returns `[{ title, rows }]`, as `report.mjs` has them */
export function growthTables({ sizes, operations }) {
  const statements = operations.map((operation) => row(operation, sizes, 'sqlMs', { buffers: true }));
  const requests = operations
    .filter(({ results }) => results[sizes[0]].httpMs !== null)
    .map((operation) => row(operation, sizes, 'httpMs', { limit: true }));
  return [
    { title: 'Growth: the statements', rows: statements },
    { title: 'Growth: the requests', rows: requests },
  ];
}

function row({ name, limit, results }, sizes, member, shown) {
  const smallest = results[sizes[0]];
  const time = ({ failed, [member]: times }) => (failed || times.length === 0 ? null : median(times));
  const ratios = sizes.slice(1).map((size) => {
    return [size, time(results[size]) === null ? null : time(results[size]) / time(smallest)];
  });
  const [, largest] = ratios.at(-1) ?? [];
  return {
    operation: name,
    ...Object.fromEntries(
      sizes.map((size) => [`ms at ${spelled(size)}`, time(results[size])?.toFixed(3) ?? 'timed out']),
    ),
    ...Object.fromEntries(
      ratios.map(([size, ratio]) => [`${spelled(size)} / ${spelled(sizes[0])}`, ratio?.toFixed(2) ?? '']),
    ),
    ...(shown.buffers
      ? Object.fromEntries(
          sizes.map((size) => [`buffers at ${spelled(size)}`, results[size].failed ? '' : results[size].buffers]),
        )
      : {}),
    ...(shown.limit ? { limit: verdict(limit, largest) } : {}),
  };
}

function verdict(limit, ratio) {
  if (limit === undefined || ratio === undefined) return '';
  return `${limit}: ${ratio !== null && ratio <= limit ? 'met' : 'missed'}`;
}

const spelled = (size) => size.toLocaleString('en-US');

export const growthProvenance = ({ revisions, megabytes, load }) =>
  `${revisions} revisions of each key-value; ` +
  `${Object.entries(megabytes)
    .map(([size, count]) => `${count} MB for ${spelled(Number(size))}`)
    .join(', ')}; load average ${load.map((value) => value.toFixed(1)).join(', ')}`;
