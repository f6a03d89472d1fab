import { inputError } from '../command/command-error.js';
import { type KeyValue } from '../key-value/key-value.js';
import { nest } from './formats/nested.js';
import { propertyLine } from './formats/properties.js';
import { renderYaml } from './formats/yaml.js';
import { quoted } from './quoted.js';

export const EXPORT_FORMATS = ['kvset', 'json', 'yaml', 'kvset-yaml', 'properties'] as const;
export type ExportFormat = (typeof EXPORT_FORMATS)[number];

export interface ExportOptions {
  /** Taken off every key. */
  readonly prefix: string;
  readonly separator: string;
}

/** Whether the format tells labels, and so may hold several of one key. */
export const tellsLabels = (format: ExportFormat): boolean => format === 'kvset' || format === 'kvset-yaml';

/**
 * The text of an export; the same key-values make the same text.
 *
 * @param items in the order of the store
 * @throws CommandError when the format cannot hold them
 */
export function renderExport(items: readonly KeyValue[], format: ExportFormat, options: ExportOptions): string {
  switch (format) {
    case 'kvset':
      return `${JSON.stringify({ items: items.map(rowOf) }, null, 2)}\n`;
    case 'kvset-yaml':
      return renderYaml({ items: items.map(rowOf) });
    case 'json':
      return `${JSON.stringify(nest(leavesOf(items, options), options.separator), null, 2)}\n`;
    case 'yaml':
      return renderYaml(nest(leavesOf(items, options), options.separator));
    case 'properties':
      return leavesOf(items, options)
        .map(({ key, value }) => propertyLine(key, value ?? ''))
        .join('');
  }
}

function rowOf({ key, label, value, contentType, tags, description }: KeyValue): object {
  return {
    key,
    label: label === '' ? null : label,
    value,
    content_type: contentType,
    tags: JSON.parse(tags) as unknown,
    // Null too: an import leaves the description of what exists as it is where a row has none.
    description,
  };
}

function leavesOf(items: readonly KeyValue[], { prefix }: ExportOptions): { key: string; value: string | null }[] {
  return items.map(({ key, label, value }, index) => {
    const next = items[index + 1];
    if (next?.key === key) {
      const labels = [label, next.label].map((each) => (each === '' ? 'none' : quoted(each))).join(' and ');
      throw inputError(
        `the key ${quoted(key)} exists with the labels ${labels}: choose one with --label, or the format kvset`,
      );
    }
    return { key: key.slice(prefix.length), value };
  });
}
